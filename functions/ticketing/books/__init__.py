"""Compares the shop's books with the balance at Stripe, line by line (docs/runbook.md, "Every cent")."""
