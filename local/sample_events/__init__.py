"""The sample events of events/: what they show, how they are written, and their other forms."""
