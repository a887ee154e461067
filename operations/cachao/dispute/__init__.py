"""`cachao dispute`: a dispute as Stripe and the shop know it, and its answer."""
