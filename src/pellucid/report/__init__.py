"""A run directory to figures and one HTML file."""
