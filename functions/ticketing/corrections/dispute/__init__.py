"""Answering a dispute: what the shop knows of its order, what can be said to the bank, and saying it through Stripe."""
