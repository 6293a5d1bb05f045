"""Cut iNNvestigate's reference maps to what the repository can hold, so that a bare clone can compare with them.

    python experiments/cut_golden.py ../shared/golden/innvestigate_lrp_8ch.npz tests/golden/innvestigate_cut.npz

The whole file holds maps of 11 methods that iNNvestigate 2.1.2 made of two inputs, noise within an ellipsoid (no scan
of anybody), for a network of 8 channels. The cut keeps the first input, the weights, and 20,000 voxels of each map.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

VOXELS = 20_000
GREATEST = 200
"""Of each map so many of the greatest voxels by size are kept, its greatest among them: the scale of a difference."""


def cut(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first item of `whole` as arrays: each `map_*` only at `voxels`, which index it flat in C order.

    Kept are the `GREATEST` voxels of every map, and others drawn with seed 0 from those where any map is not 0, to
    `VOXELS` in all. Nothing is rounded.
    """
    maps = {name: values[0].ravel() for name, values in whole.items() if name.startswith("map_")}
    greatest = np.unique(np.concatenate([np.argsort(np.abs(values))[-GREATEST:] for values in maps.values()]))
    others = np.setdiff1d(np.flatnonzero(np.any([values != 0 for values in maps.values()], axis=0)), greatest)
    drawn = np.random.default_rng(0).choice(others, VOXELS - len(greatest), replace=False)
    voxels = np.union1d(greatest, drawn).astype(np.int32)
    alone = {name: whole[name][:1] for name in ("x_uint8", "logit")}
    weights = {name: values for name, values in whole.items() if name.endswith(("_weight", "_bias"))}
    return {**alone, **weights, "voxels": voxels, **{name: values[None, voxels] for name, values in maps.items()}}


def main() -> None:
    """Read the whole file, write the cut."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whole", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    with np.load(arguments.whole) as arrays:
        np.savez_compressed(arguments.out, **cut(arrays))
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
