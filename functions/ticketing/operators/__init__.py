"""What operators may see of orders and of the database."""
