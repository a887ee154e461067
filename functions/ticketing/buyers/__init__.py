"""Who a buyer is, and which orders are his."""
