"""`cachao buyer`: all that is held of one buyer, and nothing any more."""
