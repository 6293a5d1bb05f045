"""What kernels take and return; volumes are (B, X, Y, Z, C)."""

from __future__ import annotations

from pellucid.ground.arrays import UInt8Array

Size = tuple[int, int, int]
"""A kernel's or a window's, along X, Y, Z."""

Winners = UInt8Array
"""Which position of each pooling window had its greatest value: an index into the window in C order."""
