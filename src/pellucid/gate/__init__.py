"""The gate before any logit: whether an image is what a model expects, a whole brain without its skull in MNI space."""
