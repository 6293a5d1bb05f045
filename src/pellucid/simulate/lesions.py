"""Lesions: how much, where, and of what shape."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import ndtr, ndtri

from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.image.grid import Grid
from pellucid.simulate.anatomy import LESION_CLASSES, Anatomy
from pellucid.simulate.deformation import Warp

PATIENT_CLASSES = {
    "periventricular": 0.42,
    "callosal": 0.10,
    "juxtacortical": 0.18,
    "deep": 0.14,
    "infratentorial": 0.16,
}
"""Share of a patient's lesions that start in each place."""

CONTROL_CLASSES = {"periventricular": 0.10, "callosal": 0.0, "juxtacortical": 0.25, "deep": 0.65, "infratentorial": 0.0}
"""Share of a control's lesions that start in each place: the small ones of age, in the deep white matter."""


def patient_volume(u: npt.ArrayLike) -> Float64Array:
    """Return lesion volumes in ml of patients at quantiles `u`: 7.28 ± 8.09, 0.12 to 47 (docs/original.md, 7.4)."""
    return _truncated_lognormal(np.asarray(u, dtype=np.float64), _PATIENT)


def control_volume(u: npt.ArrayLike) -> Float64Array:
    """Return lesion volumes in ml of controls at quantiles `u`: 0.57 ± 1.94, range 0 to 15 (docs/original.md, 7.4).

    No one lognormal has these moments below 15 ml: most controls have a fifth of a millilitre, and 4 % have 3 to 15 ml,
    as one of the paper's had. Volumes under 10 µl count as none.
    """
    q = np.asarray(u, dtype=np.float64)
    usual = _truncated_lognormal(np.minimum(q / (1.0 - _OUTLIERS), 1.0), _CONTROL)
    volume = np.where(q < 1.0 - _OUTLIERS, usual, 3.0 + 12.0 * (q - 1.0 + _OUTLIERS) / _OUTLIERS)
    return np.where(volume < 0.01, 0.0, volume)


# (mu, sigma, lowest, highest) of ln(volume / ml), solved for the truncated moments of Eitel 2019's cohort.
_PATIENT = (1.4986, 1.1703, 0.12, 47.5)
_CONTROL = (-2.35, 1.25, 1e-4, 3.0)
_OUTLIERS = 0.042


def _truncated_lognormal(u: Float64Array, parameters: tuple[float, float, float, float]) -> Float64Array:
    mu, sigma, low, high = parameters
    below, above = ndtr([(np.log(low) - mu) / sigma, (np.log(high) - mu) / sigma])
    return np.asarray(np.exp(mu + sigma * ndtri(below + u * (above - below))), dtype=np.float64)


def class_shares(strength: float) -> dict[str, float]:
    """Mix the places of controls' (0) and patients' (1) lesions."""
    s = min(strength, 1.0)
    return {name: (1.0 - s) * CONTROL_CLASSES[name] + s * PATIENT_CLASSES[name] for name in LESION_CLASSES}


def grow_lesions(
    rng: np.random.Generator,
    anatomy: Anatomy,
    warp: Warp,
    allowed: BoolArray,
    *,
    volume_ml: float,
    shares: dict[str, float],
) -> tuple[BoolArray, dict[str, int]]:
    """Grow lesions in a subject until they fill `volume_ml`, to the voxel.

    Each lesion starts at a point drawn from the prior of its class and takes the voxels of `allowed` that lie nearest
    to it in an ellipsoidal norm, roughened by smooth noise. Returns the mask and the number of lesions per class.
    """
    grid = anatomy.grid
    mask = np.zeros(grid.shape, dtype=bool)
    counts = dict.fromkeys(LESION_CLASSES, 0)
    left = round(volume_ml / grid.voxel_volume_ml)
    if volume_ml > 0.0:
        left = max(left, 1)
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    median_ml = 0.04 * max(volume_ml, 0.5) ** 0.5  # heavy loads have larger, confluent lesions
    for _ in range(2000):
        if left <= 0:
            return mask, counts
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        centre = warp.forward(_draw_voxel(rng, anatomy.lesion_prior[name])[None])[0]
        wanted = int(np.ceil(median_ml * np.exp(rng.normal(0.0, 1.0)) / grid.voxel_volume_ml))
        taken = _grow_one(rng, grid, mask, allowed, centre, min(wanted, left))
        if taken:
            counts[name] += 1
            left -= taken
    raise RuntimeError(f"no room for {volume_ml:.1f} ml of lesions")


def _draw_voxel(rng: np.random.Generator, density: Float32Array) -> Float64Array:
    """Draw a voxel from a density by rejection (cheap: densities are flat where they are large)."""
    highest = float(density.max())
    shape = np.array(density.shape)
    while True:
        tries = rng.integers(0, shape, size=(4096, 3))
        values = density[tuple(tries.T)]
        hits = np.flatnonzero(rng.uniform(0.0, highest, 4096) < values)
        if hits.size:
            return np.asarray(tries[hits[0]] + rng.uniform(-0.5, 0.5, 3), dtype=np.float64)


def _grow_one(
    rng: np.random.Generator,
    grid: Grid,
    mask: BoolArray,
    allowed: BoolArray,
    centre: Float64Array,
    voxels: int,
) -> int:
    """Add one lesion of at most `voxels` voxels to `mask`; return how many it got."""
    sizes = np.array(grid.voxel_sizes)
    radius = (3.0 * voxels * grid.voxel_volume_ml * 1000.0 / (4.0 * np.pi)) ** (1.0 / 3.0)  # mm
    half = np.ceil((2.0 * radius + 2.0) / sizes).astype(int)
    middle = np.round(centre).astype(int)
    low = np.maximum(middle - half, 0)
    high = np.minimum(middle + half + 1, np.array(grid.shape))
    if np.any(high - low < 1):
        return 0
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    free = allowed[box] & ~mask[box]
    if not free.any():
        return 0
    axes = [(np.arange(a, b) - c) * s for a, b, c, s in zip(low, high, centre, sizes, strict=True)]
    offset = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    # Random orientation: the Q of a Gaussian matrix; semi-axes with a product of 1.
    orientation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    stretch = np.exp(rng.normal(0.0, 0.25, 3))
    stretch /= np.prod(stretch) ** (1.0 / 3.0)
    distance = np.linalg.norm((offset @ orientation) / stretch, axis=-1)
    noise = ndimage.gaussian_filter(rng.standard_normal(distance.shape), np.maximum(radius / 3.0 / sizes, 0.6))
    spread = float(noise.std())
    score = distance + (0.25 * radius / spread * noise if spread > 0 else 0.0)
    reachable = np.flatnonzero(free & (distance < 2.0 * radius + 1.0))
    if reachable.size == 0:
        return 0
    best = reachable[np.argsort(score.ravel()[reachable], kind="stable")[:voxels]]
    patch = mask[box]
    patch[np.unravel_index(best, patch.shape)] = True
    return int(best.size)
