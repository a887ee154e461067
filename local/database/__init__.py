"""MariaDB on one machine, and something to buy in it."""
