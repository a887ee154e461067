"""Stripe's words and Stripe's API. Knows nothing of the shop's rules."""
