"""From what is on sale to an order that holds its seats and a page to pay on."""
