"""Compares the shop with Stripe and brings right what an event never told."""
