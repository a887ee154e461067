"""`cachao doctor`: walks the chain from Stripe to the paid order, link by link."""
