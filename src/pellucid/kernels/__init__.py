"""The fused arithmetic of convolution, max-pool, ELU and dropout on raw arrays, for CPUs."""
