"""Gram matrices of standardised features, in one pass over chunks of them: n scans of p voxels become n x n numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pellucid.ground.arrays import Float64Array, FloatArray, IndexArray

_CHUNK_BYTES = 8 * 2**20  # of one chunk in float64: larger ones fall out of the cache, and take longer
_NO_VARIANCE = 1e-10  # of the largest eigenvalue; a direction below it is rounding


def grams(
    features: FloatArray,
    rows: IndexArray,
    trainings: Sequence[IndexArray],
    *,
    scale: bool = True,
    tick: Callable[[], None] | None = None,
) -> list[Float64Array]:
    """Return the Gram matrix of `rows` once for each training set, features standardised by that set alone.

    `G[i, j] = sum over voxels v of z_iv z_jv`, `z_iv = (x_iv - m_v) / s_v`, where m and s are mean and SD (n, not
    n - 1) over the training rows. A voxel that is the same in all training rows is left out: they cannot say what it
    means. All matrices come of one pass over the features.

    Parameters
    ----------
    features
        (N, p), in memory or memory-mapped; only `rows` are read.
    rows
        Which of them, n row numbers.
    trainings
        Positions within `rows`, one array a training set.
    scale
        Divide by the SD; else the features are centred only.
    tick
        Called after each of `chunks(features, rows)` chunks.

    Returns
    -------
    One (n, n) matrix a training set. Besides them some 40 MB are held, however large p is.
    """
    features = np.asarray(features)  # a memory map would wrap every chunk
    matrices = [np.zeros((len(rows), len(rows))) for _ in trainings]
    for start, stop in _pieces(features, rows):
        x = features[rows, start:stop].astype(np.float64)
        for matrix, training in zip(matrices, trainings, strict=True):
            z = _standardised(x, training, scale)[0]
            matrix += z @ z.T
        if tick is not None:
            tick()
    return matrices


def chunks(features: FloatArray, rows: IndexArray) -> int:
    """Return the number of chunks in which the features of `rows` are read."""
    return len(list(_pieces(features, rows)))


def weights(
    features: FloatArray,
    rows: IndexArray,
    coefficients: Float64Array,
    *,
    scale: bool = True,
    tick: Callable[[], None] | None = None,
) -> tuple[Float64Array, float]:
    """Return the weights (p,) and offset of a sum over training rows in the units of the features themselves.

    `sum_i c_i (z_i . z) = w . x + offset` for every x, with z standardised by `rows` as in `grams`:
    `w_v = (sum_i c_i z_iv) / s_v`, `offset = -w . m`. A voxel that never varies weighs 0.

    Parameters
    ----------
    coefficients
        c, one a row of `rows`.
    features, rows, scale, tick
        As in `grams`; all rows are training rows.
    """
    w = np.zeros(features.shape[1])
    offset = 0.0
    for start, stop in _pieces(features, rows):
        x = features[rows, start:stop].astype(np.float64)
        z, mean, factor = _standardised(x, np.arange(len(rows)), scale)
        w[start:stop] = (coefficients @ z) * factor
        offset -= float(w[start:stop] @ mean)
        if tick is not None:
            tick()
    return w, offset


def unit_kernel(gram: Float64Array, training: IndexArray, components: int = 0) -> tuple[Float64Array, Float64Array]:
    """Return the linear kernel (n, n) of features whose training scans have a mean square length of 1.

    `K = F F' / V`, where V, the total variance of the features F over the training scans, is the mean of the diagonal
    of their Gram matrix. Without components F are the standardised features. With them F are the scores on the first
    principal components of the training scans: with `G_TT = U L U'`, `F = G_T' U L^-1/2`.

    Dividing by V lets C and gamma mean the same for one feature and for a million: for standardised features V is
    their number, and gamma in `exp(-gamma |f_i - f_j|^2 / V)` is in units of scikit-learn's "scale". A single
    standardised feature has V = 1, so nothing changes there.

    Parameters
    ----------
    gram
        As `grams` gives it for `training`.
    training
        Positions of the n_T training scans.
    components
        How many principal components; 0 takes the features themselves.

    Returns
    -------
    The kernel, and the matrix P: (n_T, n_T) that turns the coefficients a of a sum `sum_i a_i K(i, .)` over the
    training scans into those of `weights`, `c = P a`.
    """
    within = gram[np.ix_(training, training)]
    if components == 0:
        total = _positive(float(np.trace(within)) / len(training))
        return gram / total, np.eye(len(training)) / total
    values, vectors = np.linalg.eigh(within)
    order = np.argsort(values)[::-1][:components]
    order = order[values[order] > _NO_VARIANCE * values.max()]
    values, vectors = values[order], vectors[:, order]
    scores = gram[:, training] @ (vectors / np.sqrt(values))
    total = _positive(float(values.sum()) / len(training))
    return scores @ scores.T / total, vectors @ vectors.T / total


def rbf_kernel(kernel: Float64Array, gamma: float) -> Float64Array:
    """Return `exp(-gamma |f_i - f_j|^2)`: (n, n), from the linear kernel of the same features f."""
    squares = kernel.diagonal()
    distance = squares[:, None] + squares[None, :] - 2.0 * kernel
    similar: Float64Array = np.exp(-gamma * distance.clip(min=0.0))
    return similar


def _pieces(features: FloatArray, rows: IndexArray) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each chunk of features."""
    step = max(1, _CHUNK_BYTES // (8 * max(1, len(rows))))
    for start in range(0, features.shape[1], step):
        yield start, min(start + step, features.shape[1])


def _standardised(
    x: Float64Array, training: IndexArray, scale: bool
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return z = (x - m) / s, m and 1 / s: by the training rows; 1 / s is 0 where they do not vary, else 1 unscaled."""
    share = np.zeros(len(x))
    share[training] = 1.0 / len(training)
    mean = share @ x
    z = x - mean
    variance = share @ (z * z)
    varies = variance > (len(x) * np.finfo(np.float64).eps * mean) ** 2  # what rounding alone can make
    factor = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=varies)
    factor = factor if scale else varies.astype(np.float64)
    z *= factor
    return z, mean, factor


def _positive(variance: float) -> float:
    """Return a total variance to divide by; where nothing varies, 1."""
    return variance if variance > 0.0 else 1.0
