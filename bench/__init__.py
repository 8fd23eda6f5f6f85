"""The benchmark: what the flows cost, next to a bare script and next to what people write today."""
