"""NIfTI in and out, grids and affines, resampling, intensity scaling; the one place that knows orientation."""
