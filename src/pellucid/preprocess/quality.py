"""Quality control: what is measured of a preprocessed visit, and which measures say that it must not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from pellucid.gate import bounds
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.image.grid import Affine, Grid
from pellucid.image.nifti import Volume

Verdict = Literal["pass", "check", "fail"]

_BINS = 32
_TAILS = (0.5, 99.5)  # percentiles between which intensities are binned
_SURE = 0.95  # a tissue's probability where it is measured
_RIM = 3  # voxels around lesions that count as neither lesion nor healthy
_MISSING_ML = 8.0  # 12 mm off the top are 22 ml, half a cerebellum 30 ml, a whole field of view 0 ml
_LOST_ML = 180.0  # a tenth of the brain
BRIGHT = 99.0
"""The percentile of healthy white matter above which an intensity detector calls a voxel a lesion."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: its title, unit, and the bounds outside of which a visit is to be checked or fails."""

    title: str
    unit: str = ""
    check: tuple[float, float] = (-np.inf, np.inf)
    fail: tuple[float, float] = (-np.inf, np.inf)
    why: str = ""
    """What it means if the value lies outside."""
    better: Literal["high", "low", None] = None


MEASURES: dict[str, Measure] = {
    "brain_dice": Measure(
        "Dice, brain in MNI space and template's",
        check=(0.93, 1.0),
        fail=(0.88, 1.0),
        why="the brain does not overlap with the template's: wrong extraction or registration, or a cut-off scan",
        better="high",
    ),
    "t1w_nmi": Measure(
        "normalised mutual information, T1w and template",
        check=(1.012, 2.0),
        fail=(1.010, 2.0),
        why="the T1w has too little in common with the template: wrong registration, or not a scan of a brain",
        better="high",
    ),
    "flair_nmi": Measure(
        "normalised mutual information, FLAIR and template",
        check=(1.012, 2.0),
        fail=(1.010, 2.0),
        why="the FLAIR has too little in common with the template: wrong registration, or not a scan of a brain",
        better="high",
    ),
    "flair_dice": Measure(
        "Dice, T1w's brain on the FLAIR and FLAIR's own",
        check=(0.93, 1.0),
        fail=(0.85, 1.0),
        why="T1w and FLAIR are not aligned, or one of them is cut off",
        better="high",
    ),
    "scale": Measure(
        "volume in MNI space over native volume",
        check=(0.9, 1.9),
        fail=(0.6, 2.5),
        why="the change of brain size is larger than differences between heads",
    ),
    "brain_ml": Measure("brain, native", "ml", check=(900.0, 2000.0), why="the brain is unusually small or large"),
    "cut_off": Measure(
        "brain outside the FLAIR's field of view",
        "share",
        check=(0.0, 0.03),
        fail=(0.0, 0.25),
        why="the FLAIR does not contain the whole brain",
        better="low",
    ),
    "t1w_missing": Measure(
        "template's brain outside the T1w's field of view",
        "ml",
        check=(0.0, _MISSING_ML),
        fail=(0.0, _LOST_ML),
        why="the T1w does not contain the whole brain: its top or its cerebellum is cut off",
        better="low",
    ),
    "flair_missing": Measure(
        "template's brain outside the FLAIR's field of view",
        "ml",
        check=(0.0, _MISSING_ML),
        fail=(0.0, _LOST_ML),
        why="the FLAIR does not contain the whole brain: its top or its cerebellum is cut off",
        better="low",
    ),
    "t1w_grey": Measure(
        "grey over white matter, T1w",
        check=(bounds.GREY_RANGE[0], bounds.GREY_MIDDLE),
        why="it does not look like a T1w: is it a FLAIR, a T2w or a map?",
    ),
    "flair_grey": Measure(
        "grey over white matter, FLAIR",
        check=(bounds.GREY_MIDDLE, bounds.GREY_RANGE[1]),
        why="it does not look like a FLAIR: is it a T1w or a map?",
    ),
    "t1w_fluid": Measure(
        "fluid over white matter, T1w", check=(-np.inf, bounds.BRIGHT_FLUID), why="it looks like a T2w, not like a T1w"
    ),
    "flair_fluid": Measure(
        "fluid over white matter, FLAIR",
        check=(-np.inf, bounds.BRIGHT_FLUID),
        why="it looks like a T2w, not like a FLAIR",
    ),
    "t1w_snr": Measure("signal to noise, T1w white matter", better="high"),
    "t1w_cnr": Measure("contrast to noise, T1w white and grey matter", better="high"),
    "flair_snr": Measure("signal to noise, FLAIR white matter", better="high"),
    "flair_cnr": Measure("contrast to noise, FLAIR white and grey matter", better="high"),
    "lesion_ml": Measure("lesions, native", "ml"),
    "lesion_mni_ml": Measure("lesions in MNI space", "ml"),
    "lesion_kept": Measure(
        "lesion volume in MNI space over what the scale predicts",
        check=(0.9, 1.1),
        why="lesions were lost or grew during the transform to MNI space; some may be outside the grid",
    ),
    "bright_before": Measure("lesion voxels brighter than 99 % of healthy white matter, before filling", "share"),
    "bright_after": Measure(
        "lesion voxels brighter than 99 % of healthy white matter, after filling",
        "share",
        check=(0.0, 0.05),
        why="filled lesions can still be seen",
        better="low",
    ),
}
"""Every measure by its name in records and quality.tsv.

The bounds of mutual information lie between what was measured of 12 real scans rightly registered (1.014 to 1.037) and
of wrong ones: a brain with its front at the back or upside down (at most 1.009), noise in the shape of a brain, an
ellipsoid (1.001). A brain with left and right exchanged has 1.030 and cannot be told.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A measure outside its bounds."""

    measure: str
    verdict: Verdict
    text: str


def judge(values: dict[str, float | None]) -> list[Finding]:
    """Return the measures that lie outside their bounds; what was not measured is not judged."""
    findings = []
    for name, value in values.items():
        measure = MEASURES[name]
        if value is None:
            continue
        for verdict, (low, high) in (("fail", measure.fail), ("check", measure.check)):
            if not low <= value <= high:
                bound = f"below {low:g}" if value < low else f"above {high:g}"
                text = f"{measure.title} is {value:.3g}, {bound}: {measure.why}"
                findings.append(Finding(name, "fail" if verdict == "fail" else "check", text))
                break
    return findings


def verdict_of(findings: list[Finding]) -> Verdict:
    """Return the worst verdict."""
    verdicts = {finding.verdict for finding in findings}
    return "fail" if "fail" in verdicts else "check" if "check" in verdicts else "pass"


def dice(one: BoolArray, other: BoolArray) -> float:
    """Return 2 |A n B| / (|A| + |B|); 1 if both are empty."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return float(2.0 * np.count_nonzero(one & other) / total) if total else 1.0


def normalised_mutual_information(one: Float32Array, other: Float32Array, where: BoolArray) -> float:
    """Return (H(A) + H(B)) / H(A, B) of two images (X, Y, Z) within a mask: 1 if nothing is shared, 2 if all.

    Entropies of 32 bins between the 0.5th and the 99.5th percentile.

    References
    ----------
    Studholme et al. 1999, Pattern Recognition 32:71.
    """
    binned = []
    for image in (one[where], other[where]):
        low, high = np.percentile(image, _TAILS)
        if not high > low:
            return 1.0
        binned.append(((image - low) * (_BINS / (high - low))).clip(0, _BINS - 1).astype(np.intp))
    joint = np.bincount(binned[0] * _BINS + binned[1], minlength=_BINS * _BINS).reshape(_BINS, _BINS) / binned[0].size
    shared = _entropy(joint.ravel())
    return float((_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / shared) if shared > 0.0 else 2.0


def healthy(white: Float32Array, lesions: BoolArray | None) -> BoolArray:
    """Return white matter (probability 0.95 or more) farther than 3 voxels from any lesion."""
    sure = white >= _SURE
    if lesions is not None and lesions.any():
        sure &= ~ndimage.binary_dilation(lesions, iterations=_RIM)
    return np.asarray(sure)


def outside_field(brain: BoolArray, grid: Grid, scan: Volume, matrix: Affine) -> float:
    """Return how much of the template's brain lies outside a scan's field of view, in ml.

    The template's `brain` (X, Y, Z) on `grid` is carried to the scan by `matrix`, which takes MNI millimetres to the
    scan's. The field of view ends with the last slices that are not empty.
    """
    points = grid.world(np.argwhere(brain)) @ matrix[:3, :3].T + matrix[:3, 3]
    index = scan.grid.voxel(points)
    inside = np.ones(len(index), dtype=np.bool_)
    for axis in range(3):
        full = np.flatnonzero(scan.data.any(axis=tuple(a for a in range(3) if a != axis)))
        inside &= (index[:, axis] >= full[0] - 0.5) & (index[:, axis] <= full[-1] + 0.5)
    return float(np.count_nonzero(~inside)) * grid.voxel_volume_ml


def signal_to_noise(image: Float32Array, white: BoolArray) -> float | None:
    """Return mean over standard deviation of an image in `white`; None where there is no white matter."""
    values = image[white].astype(np.float64)
    return float(values.mean() / values.std()) if values.size > 1 and values.std() > 0.0 else None


def contrast_to_noise(image: Float32Array, white: BoolArray, grey: BoolArray) -> float | None:
    """Return |mean(WM) - mean(GM)| / sqrt(var(WM) + var(GM)); None where either is missing."""
    one, other = image[white].astype(np.float64), image[grey].astype(np.float64)
    if one.size < 2 or other.size < 2:
        return None
    spread = np.sqrt(one.var() + other.var())
    return float(abs(one.mean() - other.mean()) / spread) if spread > 0.0 else None


def bright_share(image: Float32Array, lesions: BoolArray, white: BoolArray) -> float | None:
    """Return the share of lesion voxels above the 99th percentile of healthy `white`; None where either is missing."""
    if not lesions.any() or not white.any():
        return None
    return float((image[lesions] > np.percentile(image[white], BRIGHT)).mean())


def _entropy(p: Float64Array) -> float:
    positive = p[p > 0.0]
    return float(-(positive * np.log(positive)).sum())
