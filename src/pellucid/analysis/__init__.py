"""Heatmaps to numbers: averages, atlas regions, lesion shares, null maps, statistics."""
