"""`cachao refund`: gives a payment back."""
