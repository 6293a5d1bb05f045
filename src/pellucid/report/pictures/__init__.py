"""Pictures of brains, charts, and their style."""
