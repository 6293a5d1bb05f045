"""What null maps may learn from training participants: how much of a brain is bright lesion, and what lesions are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.analysis.averages import mean_map
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array, FloatArray
from pellucid.trust.lesion_chance import Logistic, Sizes, features, smooth_prior
from pellucid.trust.null_registry import PERCENT, Learned
from pellucid.trust.nulls import brightest_number

PERCENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""What `brightest-percent` may be."""

CRITERION = "as a mask, the highest median average precision over training scans with a lesion in the seen brain"

SCANS = 60
"""How many training scans are read for it; of more, as many are drawn. The mean lesion map is of all."""

VOXELS = 2000
"""How many voxels of a scan at most, of its lesions and of the rest each, the regression is fitted to."""

NO_LESION_SEEN = "no training participant has a lesion in the seen brain"
ONE_PARTICIPANT = "fewer than two training participants have a lesion in the seen brain"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingScan:
    """A training participant's scan as the network sees it, its brain, and its lesion mask, (X, Y, Z) each."""

    image: FloatArray
    brain: BoolArray
    lesions: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedNulls:
    """What nulls learned, and from whom.

    Parameters
    ----------
    learned
        For `null_maps`.
    scans, participants
        How many have a lesion mask; the mean lesion map is of them all.
    scans_read, scans_with_lesions
        How many of these scans were read for the rest, and how many of those have a lesion in the seen brain.
    scores
        The criterion for each of `PERCENTS`; empty where no scan that was read has a lesion.
    voxels, lesion_voxels
        How many voxels the regression was fitted to, and how many of them are lesion.
    """

    learned: Learned
    scans: int
    participants: int
    scans_read: int = 0
    scans_with_lesions: int = 0
    scores: tuple[float, ...] = ()
    voxels: int = 0
    lesion_voxels: int = 0


def fit_nulls(
    participants: Sequence[str],
    scan: Callable[[int], TrainingScan],
    seen: npt.ArrayLike,
    *,
    voxel_sizes: Sizes,
    seed: int,
) -> FittedNulls:
    """Learn from training scans what the null maps need.

    `percent` is the one of `PERCENTS` whose voxels, as a mask, have the highest median average precision; of equals the
    smallest. (For lift it would shrink to the single brightest voxel: sharpening a map raises its lift.) The regression
    is fitted to voxels drawn from each scan, weighted by one over their chance to be drawn, so that the odds it
    predicts are those of all voxels of the seen brain; its prior at a participant's voxels is the mean lesion map of
    the others.

    Parameters
    ----------
    participants
        Whose each training scan with a lesion mask is.
    scan
        Returns the scan of a place in `participants`; called anew for each use, so that a cohort never stands in
        memory.
    seen
        The network's field of view (X, Y, Z), bool.
    voxel_sizes
        Of the grid, in millimetres.
    seed
        Which scans and voxels are drawn.
    """
    n, people = len(participants), len(set(participants))
    if n == 0:
        return FittedNulls(learned=Learned(), scans=0, participants=0)
    generator = np.random.default_rng(seed)
    mean = mean_map(scan(i).lesions for i in range(n))
    drawn = np.sort(generator.permutation(n)[:SCANS])
    scores, rows, with_lesions = [], [], []
    for i in map(int, drawn):
        one = scan(i)
        inside = np.asarray(one.brain, dtype=bool) & np.asarray(seen, dtype=bool)
        image = np.where(one.brain, np.asarray(one.image, dtype=np.float32), np.float32(0))
        lesions = np.asarray(one.lesions, dtype=bool)[inside]
        if 0 < np.count_nonzero(lesions) < lesions.size:
            scores.append(brightest_precision(image[inside], lesions))
            with_lesions.append(participants[i])
        others = [k for k, who in enumerate(participants) if who != participants[i]]
        if others and lesions.size:
            own = sum(
                (np.asarray(scan(k).lesions, dtype=np.float32) for k in range(n) if participants[k] == participants[i]),
                start=np.zeros(mean.shape, dtype=np.float32),
            )
            smooth = smooth_prior((mean * n - own).clip(min=0.0) / len(others), voxel_sizes)
            known = features(image, np.asarray(one.brain, dtype=bool), smooth, voxel_sizes)[inside]
            rows.append(_draw(known, lesions, generator))
    medians = np.median(scores, axis=0) if scores else np.empty(0)
    percent = PERCENTS[int(medians.argmax())] if scores else PERCENT
    enough = len(set(with_lesions)) >= 2  # each one's prior is of others
    known, label, weight = (np.concatenate(part) for part in zip(*rows, strict=True)) if enough else _NOTHING
    missing = "" if enough else ONE_PARTICIPANT if with_lesions else NO_LESION_SEEN
    return FittedNulls(
        learned=Learned(
            mean_lesion=mean if mean.any() else None,
            percent=percent,
            logistic=_regression(known, label, weight) if enough else None,
            missing=missing,
        ),
        scans=n,
        participants=people,
        scans_read=len(drawn),
        scans_with_lesions=len(with_lesions),
        scores=tuple(map(float, medians)),
        voxels=len(label),
        lesion_voxels=int(label.sum()),
    )


def brightest_precision(values: FloatArray, lesions: BoolArray) -> Float64Array:
    """Return the average precision of the mask `nulls.brightest` for each of `PERCENTS`.

    With tp of the P lesion voxels among the n brightest of N, it is that of a map of two values, tp / P x tp / n +
    (P - tp) / P x P / N.

    Parameters
    ----------
    values
        Intensities of the seen brain, (N,).
    lesions
        Which of these voxels are lesion, (N,), bool; some and not all.
    """
    ascending, positive = np.sort(values), np.sort(values[lesions])
    total, P = values.size, positive.size
    threshold = ascending[[total - brightest_number(total, percent) for percent in PERCENTS]]
    n = total - np.searchsorted(ascending, threshold, side="left")
    tp = P - np.searchsorted(positive, threshold, side="left")
    return np.asarray(tp / P * tp / n + (P - tp) / P * P / total, dtype=np.float64)


_Rows = tuple[Float32Array, BoolArray, Float64Array]
_NOTHING: _Rows = (np.empty((0, 3), dtype=np.float32), np.empty(0, dtype=bool), np.empty(0))


def _draw(known: Float32Array, lesions: BoolArray, generator: np.random.Generator) -> _Rows:
    """Draw voxels of a scan: their features, whether they are lesion, and one over their chance to be drawn."""
    places, weights = [], []
    for kind in (True, False):
        every = np.flatnonzero(lesions == kind)
        some = generator.choice(every, min(VOXELS, every.size), replace=False)
        places.append(some)
        weights.append(np.full(some.size, every.size / max(some.size, 1)))
    chosen = np.concatenate(places)
    return known[chosen], lesions[chosen], np.concatenate(weights)


def _regression(known: Float32Array, label: BoolArray, weight: Float64Array) -> Logistic:
    """Fit the regression, hardly penalised, to weighted voxels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    with np.errstate(invalid="ignore"):  # the weighted variance of what hardly varies may be a little below 0
        scaler = StandardScaler().fit(known.astype(np.float64), sample_weight=weight)
    scaler.scale_[~np.isfinite(scaler.scale_)] = 1.0  # as scikit-learn does where the variance is 0
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8, max_iter=200)
    model.fit(scaler.transform(known.astype(np.float64)), label, sample_weight=weight / weight.mean())
    return Logistic(
        mean=tuple(map(float, scaler.mean_)),
        sd=tuple(map(float, scaler.scale_)),
        weights=tuple(map(float, model.coef_[0])),
        intercept=float(model.intercept_[0]),
    )
