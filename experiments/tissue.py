"""How well are tissues told apart? Dice with the label maps that T1-weighted scans were synthesised from.

    python experiments/tissue.py --maps ../shared/data/label_maps/synthseg

Each label map of the folder (FreeSurfer's numbers, as SynthSeg ships them) becomes a brain-extracted T1w: every
structure has a brightness of its own near its tissue's, borders share voxels, some shading is left, the noise is
Rician. Then again with dark MS-like lesions in the white matter, of which the segmentation is told. Both are brought to
MNI space by an affine registration and the label map along with them. The truth counts cerebellar white matter, brain
stem and ventral diencephalon (the cerebral peduncles) as white matter, all nuclei as grey matter, ventricles with their
choroid plexus and the sulci as fluid.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array, Int32Array
from pellucid.image.grid import MNI_1MM
from pellucid.image.masks import bounding_box
from pellucid.image.nifti import read_volume
from pellucid.image.resample import resample, resample_labels, resample_mask
from pellucid.preprocess.itk import moved
from pellucid.preprocess.registration import Side, register
from pellucid.preprocess.tissue import segment_tissue

TISSUES = ("csf", "grey", "white")
BRIGHTNESS = (  # of each label on T1w, where white matter is 1; left and right
    {4: 0.27, 43: 0.27, 5: 0.27, 44: 0.27, 14: 0.27, 15: 0.27, 24: 0.3, 72: 0.27, 30: 0.4, 62: 0.4}
    | {136: 0.5, 163: 0.5, 137: 0.5, 164: 0.5},
    {3: 0.72, 42: 0.72, 8: 0.72, 47: 0.72, 10: 0.86, 49: 0.86, 11: 0.76, 50: 0.76, 12: 0.81, 51: 0.81}
    | {13: 0.92, 52: 0.92, 17: 0.72, 53: 0.72, 18: 0.71, 54: 0.71, 26: 0.75, 58: 0.75},
    {2: 1.0, 41: 1.0, 7: 0.97, 46: 0.97, 16: 0.92, 28: 0.92, 60: 0.92, 85: 0.9, 25: 0.9, 57: 0.9},
)
NOISE = 1 / 20
LESIONS, LESION_BRIGHTNESS = 25, 0.7


class Case(NamedTuple):
    """A synthetic patient on the 1 mm MNI grid; `truth` is 0 outside the brain, else 1 + the index of its tissue."""

    image: Float32Array
    brain: BoolArray
    lesions: BoolArray
    truth: Int32Array


def make_case(path: Path, *, seed: int, lesions: bool) -> Case:
    """Synthesise the T1w of one label map and bring it to MNI space."""
    rng = np.random.default_rng(seed)
    volume = read_volume(path)
    labels = volume.data.astype(np.int32)
    truth = np.zeros(int(labels.max()) + 1, np.int32)
    for tissue, table in enumerate(BRIGHTNESS, start=1):
        truth[[label for label in table if label < truth.size]] = tissue
    box = bounding_box(truth[labels] > 0, volume.grid.reach(20.0))
    labels, grid = labels[box], volume.grid.cropped(box)
    truth = truth[labels]
    solid = ndimage.binary_fill_holes(_rounded(truth >= 2, 4.0))
    brain: BoolArray = solid & (truth > 0)
    told = _lesions(rng, truth == 3) if lesions else np.zeros(labels.shape, bool)
    image = _t1w(rng, labels, brain, told)
    template = Side(mni_template(MNI_1MM), mni_brain_mask(MNI_1MM), MNI_1MM)
    place = moved(grid, register(template, Side(image, brain, grid), "affine"))
    inside = resample_mask(brain, place, MNI_1MM)
    return Case(
        resample(image, place, MNI_1MM) * inside,
        inside,
        resample_mask(told & brain, place, MNI_1MM),
        resample_labels(truth, place, MNI_1MM) * inside,
    )


def _rounded(mask: BoolArray, radius: float) -> BoolArray:
    """Close gaps narrower than twice `radius` voxels: what a brain extraction leaves around and between the gyri."""
    wide = ndimage.distance_transform_edt(~mask) <= radius
    return np.asarray(ndimage.distance_transform_edt(wide) > radius)


def _lesions(rng: np.random.Generator, white: BoolArray) -> BoolArray:
    """Draw ellipsoids of 3 to 8 mm within white matter."""
    deep = np.argwhere(ndimage.distance_transform_edt(white) > 3.0)
    out = np.zeros(white.shape, bool)
    for centre in rng.choice(deep, LESIONS, replace=False):
        box = tuple(slice(c - 8, c + 9) for c in centre)
        steps = np.indices((17, 17, 17)) - 8
        out[box] |= (steps**2 / rng.uniform(1.5, 4.0, 3)[:, None, None, None] ** 2).sum(axis=0) <= 1.0
    return out & white


def _t1w(rng: np.random.Generator, labels: Int32Array, brain: BoolArray, lesions: BoolArray) -> Float32Array:
    """Paint the labels, then blur, shade and add noise; 0 outside the brain."""
    table = np.full(int(labels.max()) + 1, 0.2)  # skull, dura, eyes
    for brightness in BRIGHTNESS:
        for label, value in brightness.items():
            if label < table.size:
                table[label] = value + rng.normal(0.0, 0.02)
    image = table[labels]
    image[lesions] = LESION_BRIGHTNESS
    image *= 1.0 + 0.02 * _field(rng, labels.shape, 4.0)  # no tissue is even
    image = ndimage.gaussian_filter(image, 0.6) * (1.0 + 0.03 * _field(rng, labels.shape, 40.0))
    real, imaginary = rng.normal(0.0, NOISE, (2, *labels.shape))
    return np.asarray(500.0 * np.hypot(image + real, imaginary) * brain, dtype=np.float32)


def _field(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Float64Array:
    """Draw a smooth random field of standard deviation 1, `sigma` voxels wide."""
    step = max(sigma / 2.0, 1.0)
    coarse = ndimage.gaussian_filter(rng.normal(size=[int(n / step) + 2 for n in shape]), sigma / step)
    fine = ndimage.affine_transform(coarse, np.full(3, 1.0 / step), output_shape=shape, order=1, mode="nearest")
    return np.asarray(fine / fine.std())


def dice(case: Case) -> tuple[dict[str, float], float]:
    """Segment a case; return Dice per tissue, what share of the lesions came out white, and the seconds it took."""
    start = time.perf_counter()
    tissue = segment_tissue(case.image, case.brain, MNI_1MM, lesions=case.lesions if case.lesions.any() else None)
    seconds = time.perf_counter() - start
    winner = np.argmax((tissue.csf, tissue.grey, tissue.white), axis=0) + 1
    winner[~case.brain] = 0
    scores = {}
    for number, name in enumerate(TISSUES, start=1):
        ours, theirs = winner == number, case.truth == number
        scores[name] = 2.0 * float((ours & theirs).sum()) / float(ours.sum() + theirs.sum())
    if case.lesions.any():
        scores["lesions"] = float((winner == 3)[case.lesions].mean())
    return scores, seconds


def main() -> None:
    """Print Dice for every label map, without and with lesions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=Path, required=True, help="folder of NIfTI label maps")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for number, path in enumerate(sorted(options.maps.glob("*.nii*"))):
        for lesions in (False, True):
            scores, seconds = dice(make_case(path, seed=options.seed + number, lesions=lesions))
            rows.append({"map": path.name, "with lesions": lesions, **scores, "seconds": seconds})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    print(table.groupby("with lesions")[[*TISSUES, "lesions", "seconds"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
