"""Names for the types of arrays: a name says what kind of number it holds, never what the numbers mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]

BoolArray = npt.NDArray[np.bool_]
"""True and false: masks, flags and choices."""

FloatArray = npt.NDArray[np.floating[Any]]
"""Of float32 or float64, as it was given."""

Float32Array = npt.NDArray[np.float32]
"""Images, probability maps and relevance."""

Float64Array = npt.NDArray[np.float64]
"""Affines, scores and statistics."""

IndexArray = npt.NDArray[np.intp]
"""What indexes another array: numbers of rows or of voxels, from 0."""

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]

IntArray = npt.NDArray[np.int_]
"""Of NumPy's own integers."""

ObjectArray = npt.NDArray[np.object_]
"""Of Python's objects: names of participants, reasons."""
