"""A scan and a model to a prediction and a map on disk, and back. It knows nothing of studies."""
