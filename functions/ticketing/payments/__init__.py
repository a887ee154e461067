"""What Stripe reports, brought onto the order: paid, counted, released, refunded, disputed."""
