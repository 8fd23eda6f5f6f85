"""The benchmark: the cost of the flows, compared with a bare script and with a typical flow."""
