"""Classifiers that are no network, each fitted once."""
