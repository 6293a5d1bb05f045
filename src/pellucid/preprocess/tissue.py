"""Fluid, grey and white matter in one image: Gaussians fitted by EM, spatial priors, a Markov random field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.errors import InputError
from pellucid.image.grid import Grid

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BINS = 512
GAUSSIANS = 2
BETA = 0.25
ITERATIONS = 60
TOLERANCE = 1e-3
LESION_ODDS = 3.0
TEMPER = 1.0


@dataclass(frozen=True, slots=True)
class Tissue:
    csf: Map
    grey: Map
    white: Map


@dataclass(frozen=True, slots=True)
class Gaussians:
    shares: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    deviations: npt.NDArray[np.float64]

    def densities(self, at):
        at = np.arange(BINS)
        z = (at - self.means[..., None]) / self.deviations[..., None]
        return self.shares[..., None] * np.exp(-0.5 * z**2) / self.deviations[..., None]


def start(h):
    n = h.sum(1)
    at = np.arange(BINS)
    mean = h @ at / n
    sd = np.sqrt(h @ at**2 / n - mean**2)
    off = np.linspace(-0.5, 0.5, GAUSSIANS) if GAUSSIANS > 1 else np.zeros(1)
    return Gaussians(np.full((3, GAUSSIANS), 1 / GAUSSIANS), mean[:, None] + off * sd[:, None], np.repeat(sd[:, None], GAUSSIANS, 1))


def fit(h, g):
    d = g.densities(None)
    r = d / np.maximum(d.sum(1, keepdims=True), 1e-30) * h[:, None]
    n = np.maximum(r.sum(-1), 1e-9)
    at = np.arange(BINS)
    mean = r @ at / n
    var = (r * (at - mean[..., None]) ** 2).sum(-1) / n
    return Gaussians(n / n.sum(1, keepdims=True), mean, np.sqrt(var + 4.0))


def neighbours(q):
    out = np.zeros_like(q)
    for a in (1, 2, 3):
        lo = [slice(None)] * 4; hi = [slice(None)] * 4
        lo[a] = slice(None, -1); hi[a] = slice(1, None)
        out[tuple(lo)] += q[tuple(hi)]
        out[tuple(hi)] += q[tuple(lo)]
    return out


def segment_tissue(image, brain, grid, *, lesions=None, log=None, priors=None):
    where = np.argwhere(brain)
    box = tuple(slice(a, b + 1) for a, b in zip(where.min(0), where.max(0)))
    b = brain[box]
    les = lesions[box] & b if lesions is not None else np.zeros_like(b)
    est = b & ~les
    lo, hi = np.percentile(image[box][est], [0.05, 99.95])
    codes = ((image[box] - lo) * (BINS / (hi - lo))).clip(0, BINS - 1).astype(np.int16)
    pri = tissue_priors(grid)[(slice(None), *box)] if priors is None else priors[(slice(None), *box)]
    lp = np.log(pri) * np.float32(TEMPER)
    lp[:, les] = np.array([0, 0, LESION_ODDS * BETA])[:, None]
    ce = codes[est]
    q = np.exp(lp) ; q/=q.sum(0); q *= b
    q[:, les] = np.array([0, 0, 1])[:, None]
    g = None
    for it in range(ITERATIONS):
        h = np.stack([np.bincount(ce, weights=t[est], minlength=BINS) for t in q])
        g = start(h) if g is None else fit(h, g)
        ld = np.log(g.densities(None).sum(1) + 1e-12).astype(np.float32)
        # scale of sd
        e = np.stack([l[codes] for l in ld])
        e[:, les] = 0
        e += lp
        if it >= 5:
            e += np.float32(BETA) * neighbours(q)
        e -= e.max(0)
        np.exp(e, out=e)
        e *= b / e.sum(0)
        change = float(np.abs(e - q).max(0)[b].mean())
        q = e
        if log is not None: log.append((it, change, g))
        if it > 6 and change < TOLERANCE:
            break
    out = np.zeros((3, *brain.shape), np.float32)
    out[(slice(None), *box)] = q
    return Tissue(*out)
