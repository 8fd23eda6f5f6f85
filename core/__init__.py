"""Everything but Prefect: the wires, the records, the stores, and the life of one video."""
