"""The page of a run: a module a section."""
