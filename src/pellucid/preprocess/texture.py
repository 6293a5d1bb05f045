"""How a tissue looks around a voxel: its mean, its spread, and its texture."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from pellucid.ground.arrays import AnyArray, BoolArray, Float32Array, IndexArray
from pellucid.image.grid import Grid
from pellucid.image.scaling import MAD_TO_SD

SCALE_MM = 4.0
"""Standard deviation of the Gaussian that weights the tissue around a voxel."""

WIDE_MM = 30.0
"""Where that finds too few voxels, how far away the nearest may lie."""

ENOUGH = 60.0  # voxels for a mean and a spread, as Kish counts unequal weights
_NEAREST = 200  # voxels that stand in where they are fewer
REACH = 3.0  # standard deviations at which the Gaussian is cut off
_OUTLIER = 2.5  # spreads; voxels further out are partial volume, vessels, or lesions that nobody marked
_CUT_OFF = 0.9681  # mean absolute deviation of a normal distribution cut off at ±2.5 over that of a whole one
_TAPER_MM = 6.0  # standard deviation of the Gaussian that ends the texture's autocorrelation


def local_statistics(
    image: Float32Array, tissue: BoolArray, grid: Grid
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return mean, spread and number of the tissue around every voxel, each (X, Y, Z).

    With weights w_vu = exp(-|v - u|² / (2 SCALE_MM²)) over the voxels u, cut off at 3 SCALE_MM along each axis:
    mean = Σ w x / Σ w; spread = sqrt(pi / 2) Σ w |x_u - mean_u| / Σ w, which is the standard deviation of a normal
    distribution and heeds outliers less; number = (Σ w)² / Σ w². Where there are none, all are 0 but the mean. Twice,
    voxels more than 2.5 spreads off their own mean are left out, and the spread that this costs is given back.
    """
    sigma = [SCALE_MM / size for size in grid.voxel_sizes]
    reach = [int(REACH * s + 0.5) for s in sigma]
    offset, whole = robust(image[tissue])
    x = image - np.float32(offset)

    def weigh(values: AnyArray, narrower: float = 1.0) -> Float32Array:
        widths = [s / narrower for s in sigma]
        return np.asarray(ndimage.gaussian_filter(values.astype(np.float32), widths, mode="constant", radius=reach))

    for last in (False, False, True):
        total = weigh(tissue)
        divisor = np.where(total > 0.0, total, np.float32(1.0))
        mean = weigh(np.where(tissue, x, 0.0)) / divisor
        away = np.abs(x - mean)
        spread = np.float32(np.sqrt(np.pi / 2.0)) * weigh(np.where(tissue, away, 0.0)) / divisor
        if not last:  # a thousandth for rounding, where all are equal
            tissue = tissue & (away <= _OUTLIER * spread + 1e-3 * whole)
    # `weigh` divides by the sum of its kernel; squared, the kernel is one that is narrower by the root of 2.
    kernels = [np.exp(-0.5 * (np.arange(-r, r + 1) / s) ** 2) for r, s in zip(reach, sigma, strict=True)]
    full = float(np.prod([k.sum() ** 2 / (k**2).sum() for k in kernels]))
    squares = weigh(tissue, narrower=float(np.sqrt(2.0)))
    number = np.where(squares > 0.0, full * total * total / np.where(squares > 0.0, squares, 1.0), 0.0)
    found = (mean + offset, spread / _CUT_OFF, number)
    return found[0].astype(np.float32), found[1].astype(np.float32), found[2].astype(np.float32)


def texture(residual: Float32Array, tissue: BoolArray, grid: Grid, rng: np.random.Generator) -> Float32Array:
    """Draw a Gaussian random field (X, Y, Z) of variance 1 with the autocorrelation of `residual` within `tissue`.

    The autocorrelation at lag d is sin(pi / 2 · mean of sign r(v) sign r(v + d)) over pairs of its voxels (of a
    normal distribution the same as by products, and blind to outliers), times a Gaussian taper of `_TAPER_MM`. What of
    its Fourier transform is negative, which no field can have, becomes 0; white noise times the root of that spectrum
    is the field. Without any residual it is white noise.
    """
    shape = residual.shape
    lags = [min(int(np.ceil(2.0 * _TAPER_MM / s)), n - 1) for s, n in zip(grid.voxel_sizes, shape, strict=True)]
    # Longer by the largest lag, so that none goes around the edge.
    size = [fft.next_fast_len(n + lag, real=True) for n, lag in zip(shape, lags, strict=True)]

    def correlate(values: AnyArray) -> AnyArray:
        return np.asarray(fft.irfftn(np.abs(fft.rfftn(values.astype(np.float64), size)) ** 2, size))

    pairs = np.rint(correlate(tissue))
    agreement = correlate(np.where(tissue, np.sign(residual), 0.0)) / np.maximum(pairs, 1.0)
    correlation = np.sin(0.5 * np.pi * agreement) * (pairs > 0.0)
    for axis, (n, lag, s) in enumerate(zip(size, lags, grid.voxel_sizes, strict=True)):
        steps = np.minimum(np.arange(n), n - np.arange(n))  # lags, around the edge as the Fourier transform counts
        taper = np.where(steps <= lag, np.exp(-0.5 * (steps * s / _TAPER_MM) ** 2), 0.0)
        correlation *= taper.reshape([-1 if a == axis else 1 for a in range(3)])
    power = np.maximum(fft.rfftn(correlation).real, 0.0)
    variance = float(fft.irfftn(power, size)[0, 0, 0])
    root = np.sqrt(power / variance) if variance > 0.0 else np.float64(1.0)
    field = fft.irfftn(fft.rfftn(rng.standard_normal(size)) * root, size)
    return np.ascontiguousarray(field[tuple(slice(n) for n in shape)], dtype=np.float32)


def nearest_statistics(
    image: Float32Array, tissue: BoolArray, grid: Grid, voxels: IndexArray
) -> tuple[Float32Array, Float32Array, BoolArray]:
    """Return median and spread of the voxels nearest to each of `voxels`: (N, 3), and whether they are too few.

    Within `WIDE_MM`, that is; where they are too few, all there are stand in.
    """
    known = np.argwhere(tissue)
    ranks = list(range(1, min(_NEAREST, len(known)) + 1))
    distance, index = cKDTree(grid.world(known)).query(grid.world(voxels), k=ranks, distance_upper_bound=WIDE_MM)
    few = np.asarray(np.isfinite(distance).sum(axis=1) < min(ENOUGH, len(known)))
    near = np.append(image[tissue], np.float32(np.nan))[index]  # a neighbour that is missing has the last index
    near[few] = 0.0
    median = np.nanmedian(near, axis=1)
    spread = np.float32(MAD_TO_SD) * np.nanmedian(np.abs(near - median[:, None]), axis=1)
    median[few], spread[few] = robust(image[tissue])
    return median, spread, few


def robust(values: Float32Array) -> tuple[float, float]:
    """Return median and spread, 1.4826 times the median absolute deviation."""
    median = float(np.median(values))
    return median, MAD_TO_SD * float(np.median(np.abs(values - np.float32(median))))
