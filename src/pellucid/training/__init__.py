"""Fit one model once: trial, transfer, checkpoints, predictions."""
