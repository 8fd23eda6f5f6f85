"""Transfer from a link into the store."""
