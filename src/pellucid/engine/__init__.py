"""A graph of tasks, run in this process or on Dask. It knows nothing of studies and MRI."""
