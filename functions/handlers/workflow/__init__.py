"""One module for each task of the state machine."""
