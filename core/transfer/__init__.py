"""From a link into the store."""
