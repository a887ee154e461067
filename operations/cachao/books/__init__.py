"""`cachao books`: holds the shop's books against Stripe's balance, every cent."""
