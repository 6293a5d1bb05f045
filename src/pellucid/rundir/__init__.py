"""The run directory: its paths, its record and what its tasks left."""
