"""A whole experiment: specification, tasks, run directory, record."""
