"""The HTTP client of one account."""
