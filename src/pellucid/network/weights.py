"""Weights in and out of a safetensors file: what its header claims is known before a number is read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pellucid.ground.errors import InputError, brief
from pellucid.ground.memory import demand_memory
from pellucid.ground.opening import open_file, unreadable
from pellucid.ground.shapes import misfit

RETRAIN = "Restore the model's folder or train the model again"

Shapes = Mapping[str, tuple[int, ...]]

_LARGEST = 8  # bytes of a number
_LONGEST_HEADER = 1 << 23  # bytes: some 80,000 tensors; safetensors allows 100 MB, which take 2 GB unpacked
_NOTES = "__metadata__"
_TENSOR = {"shape": [int], "dtype": str, "data_offsets": [int]}


class Claims(NamedTuple):
    """What the header of a safetensors file says: the shape of each tensor, and what its writer noted."""

    shapes: Shapes
    notes: Mapping[str, str]


def read_claims(file: Path) -> Claims:
    """Read the header of a safetensors file: 8 bytes with its length, little-endian, then JSON.

    Raises
    ------
    InputError
        It is none, or is longer or shorter than its header says.
    """
    with open_file(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise _no_weights(file, "its header's length is wrong")
        text = opened.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        raise _no_weights(file, "its header is no JSON") from None
    notes = header.pop(_NOTES, {}) if isinstance(header, dict) else {}
    wrong = misfit(header, dict) or misfit(notes, dict)
    wrong = wrong or next((said for one in header.values() if (said := misfit(one, _TENSOR))), None)
    if wrong:
        raise _no_weights(file, wrong)
    if 8 + length + max((end for one in header.values() for end in one["data_offsets"]), default=0) != size:
        raise _no_weights(file, f"it has {size} bytes, and its header says other")
    return Claims({name: tuple(one["shape"]) for name, one in header.items()}, notes)


def check_shapes(file: Path, found: Shapes, expected: Shapes, *, of: str, fix: str) -> None:
    """Refuse a file whose tensors are of other names or shapes than those `of` something have.

    Raises
    ------
    InputError
        They are; it names the first.
    """
    if set(found) != set(expected):
        wrong = ", ".join(sorted(set(found) ^ set(expected)))
        raise InputError(file, f"missing or unknown tensors: {brief(wrong)}", fix)
    for name, shape in expected.items():
        if found[name] != shape:
            raise InputError(file, f"{name} has shape {found[name]}, not {shape} as {of} has it", fix)


def read_tensors(file: Path, claims: Claims) -> dict[str, torch.Tensor]:
    """Read the tensors that the header of a file claims, if the memory holds them.

    Raises
    ------
    InputError
        It does not, or they cannot be read.
    """
    demand_memory(file, 2 * _LARGEST * sum(map(math.prod, claims.shapes.values())), "its weights")
    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
    except OSError as error:
        raise unreadable(file, error) from None
    except (SafetensorError, ValueError) as error:
        raise _no_weights(file, error) from None
    except (RuntimeError, MemoryError) as error:  # as PyTorch says that it cannot map the file
        what = f"memory is too small to read it ({brief(error)})"
        raise InputError(file, what, "Free memory or raise its limit; the file may be whole") from None
    return tensors


def _no_weights(file: Path, why: object) -> InputError:
    return InputError(file, f"it is not a safetensors file ({brief(why)})", RETRAIN)
