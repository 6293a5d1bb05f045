"""Label maps: find, verify, merge, resample."""
