"""`cachao redeploy`: brings back what was changed or deleted by hand."""
