"""The operators' commands (`cachao …`)."""
