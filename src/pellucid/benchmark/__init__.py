"""The engine against its rivals on this machine: time and memory of the same work with the same weights."""
