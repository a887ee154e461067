"""`cachao replay`: starts failed executions and undelivered events anew."""
