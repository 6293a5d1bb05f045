"""From tissues to pictures: FLAIR and T1w intensities, texture, partial volume, bias field, Rician noise.

Intensities are relative to white matter. The ranges bracket real FLAIRs (Lesjak 2016 and 2017, one healthy head: grey
1.1-1.25, fluid 0.1-0.6, lesions 1.4 ± 0.2 with their rims), with room for other scanners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, Float32Array, Int16Array
from pellucid.image.grid import Grid
from pellucid.simulate.artefact import coil_gain
from pellucid.simulate.brightness import structure_brightness
from pellucid.simulate.deformation import lattice_of, upsample


@dataclass(frozen=True)
class Tissues:
    """What a subject is made of, each (I, J, K): tissue fractions that sum to `brain`, and extra weights in [0, 1]."""

    grid: Grid
    brain: Float32Array
    white: Float32Array
    grey: Float32Array
    fluid: Float32Array
    deep_grey: Float32Array
    ventricles: Float32Array
    caps: Float32Array
    labels: Int16Array
    regions: pd.DataFrame  # the labels' names
    lesions: BoolArray
    lesion_brightness: float = 1.0  # on FLAIR, relative to white matter: the mean over scans


def smooth_noise(rng: np.random.Generator, grid: Grid, *, smoothness_mm: float) -> Float32Array:
    """Draw a smooth random field with standard deviation 1 and a correlation length of `smoothness_mm` (>= 2 mm)."""
    sizes = np.array(grid.voxel_sizes)
    step = max(smoothness_mm / 2.0, float(sizes.max()))
    shape = [max(round((n - 1) * s / step) + 1, 2) for n, s in zip(grid.shape, sizes, strict=True)]
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), smoothness_mm / 2.0 / step)
    return np.asarray(upsample((field / field.std())[None], grid.shape)[0], dtype=np.float32)


def fractions(
    rng: np.random.Generator,
    grid: Grid,
    brain: Float32Array,
    grey: Float32Array,
    white: Float32Array,
    *,
    sulci: float,
    sharpness: float = 3.0,
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Turn an average brain's tissue probabilities into one subject's sharp tissue fractions.

    fraction_t ∝ exp(sharpness * (ln p_t + g_t)) with random fields g of the subject's own, which make folds where the
    average is blurred. `sulci` widens (> 0) or narrows (< 0) the fluid spaces.
    Returns white, grey, fluid; they sum to `brain`.
    """
    fluid = np.clip(brain - grey - white, 0.0, 1.0)
    tiny = np.float32(0.02)
    # The surfaces on which a smooth random field is 0 lie like sulci: thin sheets a centimetre apart. Next to them is
    # fluid, then grey matter, and white matter farthest away.
    far = np.abs(smooth_noise(rng, grid, smoothness_mm=5.0))
    log_white = np.log(white + tiny) + 2.0 * (far - 0.9)
    log_grey = np.log(grey + tiny) + 0.2 * smooth_noise(rng, grid, smoothness_mm=3.5)
    log_fluid = np.log(fluid + tiny) + np.float32(sulci) - 4.0 * (far - 0.35)
    highest = np.maximum(np.maximum(log_white, log_grey), log_fluid)
    w, g, f = (np.exp(np.float32(sharpness) * (v - highest)) for v in (log_white, log_grey, log_fluid))
    scale = brain / (w + g + f)
    return w * scale, g * scale, f * scale


def flair(rng: np.random.Generator, tissues: Tissues, *, caps: float, artefact: float = 0.0) -> Float32Array:
    """Draw a subject's FLAIR, brain only, background exactly 0; `artefact` is the strength of the coil's fault."""
    grey = rng.normal(1.24, 0.06)
    fluid = rng.uniform(0.08, 0.38)
    lesion = np.clip(rng.normal(tissues.lesion_brightness, 0.15), 1.3, 2.3)
    grid = tissues.grid
    white = 1.0 + 0.03 * smooth_noise(rng, grid, smoothness_mm=7.0) + 0.03 * smooth_noise(rng, grid, smoothness_mm=25.0)
    # Every gyrus and every nucleus has a brightness of its own, and is a little patchy.
    nucleus, area = (table[tissues.labels] for table in structure_brightness(rng, tissues.regions))
    sigma = [0.7 / size for size in grid.voxel_sizes]
    inside = ndimage.gaussian_filter(np.isfinite(nucleus).astype(np.float32), sigma)
    patchy = 1.0 + 0.05 * smooth_noise(rng, grid, smoothness_mm=5.0)
    cortex = grey * ndimage.gaussian_filter(area, sigma) * patchy
    image = white * tissues.white + cortex * tissues.grey
    own = np.nan_to_num(nucleus) * patchy * (tissues.white + tissues.grey)
    image += inside * (np.where(np.isfinite(nucleus), own, image) - image)
    image += fluid * tissues.fluid
    # Not disease: a thin bright lining of the ventricles, choroid plexus within them, caps at the frontal horns.
    lining = tissues.ventricles * (1.0 - tissues.ventricles) * 4.0
    image += rng.uniform(0.0, 0.22) * lining * tissues.white
    plexus = np.clip(smooth_noise(rng, grid, smoothness_mm=4.0) - 1.3, 0.0, 1.0) * tissues.ventricles
    image += rng.uniform(0.3, 1.3) * plexus
    image += caps * rng.uniform(0.15, 0.45) * tissues.caps * tissues.white
    # Lesions differ from each other and are brightest inside.
    soft = _lesion_fraction(tissues)
    brightness = lesion * (1.0 + 0.09 * smooth_noise(rng, grid, smoothness_mm=5.0))
    image += soft * np.maximum(brightness - image, 0.0)
    return _scan(rng, tissues, image, artefact)


def t1w(rng: np.random.Generator, tissues: Tissues, *, artefact: float = 0.0) -> Float32Array:
    """Draw a subject's T1w, brain only, background exactly 0; lesions are dark to a varying degree.

    `artefact` is the strength of the coil's fault.
    """
    grey = rng.normal(0.74, 0.03)
    fluid = rng.uniform(0.2, 0.35)
    grid = tissues.grid
    white = 1.0 + 0.02 * smooth_noise(rng, grid, smoothness_mm=8.0)
    cortex = grey * (1.0 + 0.03 * smooth_noise(rng, grid, smoothness_mm=7.0))
    cortex += (rng.normal(0.84, 0.02) - cortex) * tissues.deep_grey
    image = white * tissues.white + cortex * tissues.grey + fluid * tissues.fluid
    soft = _lesion_fraction(tissues)
    image += soft * np.minimum(rng.uniform(0.6, 0.85) - image, 0.0)
    return _scan(rng, tissues, image, artefact)


def _lesion_fraction(tissues: Tissues) -> Float32Array:
    """Soften the lesion mask into the share of each voxel that a lesion fills.

    Its border spreads over a millimetre, and on coarse voxels over half a voxel, so that a lesion smaller than a voxel
    is as faint as a scanner would show it.
    """
    sigma = [max(0.6 / size, 0.45) for size in tissues.grid.voxel_sizes]
    return np.asarray(ndimage.gaussian_filter(tissues.lesions.astype(np.float32), sigma), dtype=np.float32)


def _scan(rng: np.random.Generator, tissues: Tissues, image: Float32Array, artefact: float) -> Float32Array:
    """Blur, shade and add noise as a scanner does; give arbitrary units; cut the brain out."""
    grid = tissues.grid
    # In-plane and through-plane resolution differ among protocols: slices of 1 to some 3 mm.
    resolution = np.array([rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.6), rng.choice([0.5, 0.5, 1.3])])
    sigma = np.array([r / s for r, s in zip(resolution, grid.voxel_sizes, strict=True)])
    sigma[sigma < 0.35] = 0.0  # narrower than the voxel: no blur to add
    image = ndimage.gaussian_filter(image, sigma)
    lattice = lattice_of(grid)
    shading = smooth_noise(rng, lattice, smoothness_mm=70.0)
    image *= upsample(np.exp(rng.uniform(0.02, 0.10) * shading)[None].astype(np.float32), grid.shape)[0]
    if artefact > 0.0:
        image *= coil_gain(grid, artefact)  # of the signal: the noise stays what it is
    # Noise of a voxel falls with the square root of its volume; the figure is for 1 mm voxels.
    noise = rng.uniform(0.02, 0.07) / np.sqrt(grid.voxel_volume_ml * 1000.0)
    real = image + noise * rng.standard_normal(grid.shape, dtype=np.float32)
    imaginary = noise * rng.standard_normal(grid.shape, dtype=np.float32)
    gain = rng.uniform(200.0, 900.0)
    magnitude = np.sqrt(real**2 + imaginary**2)
    return np.asarray(gain * magnitude * (tissues.brain > 0.5), dtype=np.float32)
