"""Reference media: parsed, planned, and published for the gateway to fetch."""
