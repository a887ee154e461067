"""`cachao connect`: makes the way from Stripe to the workflow, and proves it."""
