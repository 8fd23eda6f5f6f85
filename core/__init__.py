"""Everything except Prefect: gateways, records, stores, and the lifecycle of one video."""
