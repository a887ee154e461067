"""`make demo`: the shop from a checkout to a ticket, and what happens when a payment goes wrong."""
