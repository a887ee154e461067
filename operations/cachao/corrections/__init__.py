"""The commands that correct an order: each is a few lines inside one frame."""
