"""Whether a map can be believed: truth, null maps, deletion, alarms. It knows nothing of studies and pages."""
