"""What the frontend and Stripe's webhook call. Knows HTTP."""
