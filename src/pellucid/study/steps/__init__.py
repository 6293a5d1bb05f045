"""What a study does: a module a kind of task."""
