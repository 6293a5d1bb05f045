"""Raw MRI to what a network reads: brain extraction, registration, tissue, lesion filling, quality measures."""
