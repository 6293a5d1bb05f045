"""What kernels take and return."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Size = tuple[int, int, int]
"""A kernel's or a window's, along X, Y, Z."""

Floats = npt.NDArray[np.floating[Any]]
"""Of float32 or float64; volumes are (B, X, Y, Z, C)."""

Winners = npt.NDArray[np.uint8]
"""Which position of each pooling window had its greatest value: an index into the window in C order."""
