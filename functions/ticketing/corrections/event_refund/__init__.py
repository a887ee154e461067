"""Refunds all orders of an event, or of a ticket, that was called off: each exactly once, and goes on where it was."""
