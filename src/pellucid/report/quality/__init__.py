"""Pages for the quality control of preprocessing."""
