"""What the commands ask of AWS."""
