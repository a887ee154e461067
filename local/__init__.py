"""The same template on one machine: AWS by moto, a real MariaDB, a stand-in for Stripe."""
