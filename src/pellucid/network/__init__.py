"""Architectures, their field of view, loading and saving."""
