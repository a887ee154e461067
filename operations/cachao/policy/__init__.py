"""`cachao policy`: what the commands may have to do at AWS, as an IAM policy."""
