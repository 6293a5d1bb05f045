"""What nulls learn from training scans, against slow twins; nobody else has any influence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from pellucid.trust import fitted_nulls
from pellucid.trust.fitted_nulls import PERCENTS, TrainingScan, _regression, brightest_precision, fit_nulls
from pellucid.trust.lesion_chance import features, probability, smooth_prior
from pellucid.trust.null_registry import NO_LESIONS
from pellucid.trust.nulls import Learned, brightest, null_maps

SHAPE = (16, 18, 16)
SIZES = (4.0, 4.0, 4.0)
SEEN = np.ones(SHAPE, dtype=bool)
SEEN[12:] = False


def _scan(seed: int, lesions: int = 12, brightness: float = 3.0) -> TrainingScan:
    """A brain of noise whose lesions lie in one corner and are brighter."""
    generator = np.random.default_rng(seed)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[2:-2, 2:-2, 2:-2] = True
    mask = np.zeros(SHAPE, dtype=bool)
    for x, y, z in generator.integers((3, 4, 4), (9, 11, 9), size=(lesions, 3)):
        mask[x, y, z] = True
    image = generator.normal(size=SHAPE) + brightness * mask
    return TrainingScan(image=(image * brain).astype(np.float32), brain=brain, lesions=mask)


def _fit(scans: list[TrainingScan], people: list[str] | None = None, seed: int = 0) -> fitted_nulls.FittedNulls:
    names = people or [f"sub-{n}" for n in range(len(scans))]
    return fit_nulls(names, lambda n: scans[n], SEEN, voxel_sizes=SIZES, seed=seed)


@given(hnp.arrays(np.float32, 60, elements=st.integers(-5, 5).map(float)), hnp.arrays(np.bool_, 60))
def test_the_precision_of_the_brightest_is_scikit_learns(values: np.ndarray, lesions: np.ndarray) -> None:
    assume(0 < lesions.sum() < lesions.size)
    inside = np.ones((60, 1, 1), dtype=bool)
    maps = [brightest(values[:, None, None], inside, percent).ravel() for percent in PERCENTS]
    expected = [average_precision_score(lesions, one) for one in maps]
    np.testing.assert_allclose(brightest_precision(values, lesions), expected, rtol=1e-9)


def test_the_percentage_has_the_highest_median_precision() -> None:
    scans = [_scan(n, lesions=5 + 10 * n) for n in range(5)]
    fitted = _fit(scans)
    each = []
    for one in scans:
        B = one.brain & SEEN
        each.append(
            [average_precision_score(one.lesions[B], brightest(one.image, B, percent)[B]) for percent in PERCENTS]
        )
    np.testing.assert_allclose(fitted.scores, np.median(each, axis=0), rtol=1e-9)
    assert fitted.learned.percent == PERCENTS[int(np.argmax(np.median(each, axis=0)))]


def test_the_regression_is_that_of_all_voxels_of_all_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn voxels, weighted by one over their chance, tell what all do; a scan's prior is of the others."""
    scans = [_scan(n) for n in range(6)]
    rows, labels = [], []
    for n, one in enumerate(scans):
        others = np.mean([other.lesions for m, other in enumerate(scans) if m != n], axis=0)
        B = one.brain & SEEN
        rows.append(features(one.image, one.brain, smooth_prior(others, SIZES), SIZES)[B])
        labels.append(one.lesions[B])
    known, label = np.concatenate(rows).astype(np.float64), np.concatenate(labels)
    mean, sd = known.mean(axis=0), known.std(axis=0)
    twin = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit((known - mean) / sd, label)
    expected = twin.predict_proba((known - mean) / sd)[:, 1]

    every = _fit(scans)  # no scan has more voxels than may be drawn
    assert (every.voxels, every.lesion_voxels) == (len(label), label.sum())
    found = every.learned.logistic
    assert found is not None
    np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.sd, sd, rtol=1e-4)
    np.testing.assert_allclose(probability(found, known), expected, rtol=0.01, atol=1e-4)

    monkeypatch.setattr(fitted_nulls, "VOXELS", 300)
    some = _fit(scans)
    assert some.voxels < every.voxels
    assert some.learned.logistic is not None
    drawn = probability(some.learned.logistic, known)
    assert drawn.mean() == pytest.approx(label.mean(), rel=0.15)  # its odds are those of all voxels
    assert roc_auc_score(label, drawn) > roc_auc_score(label, known[:, 0])


def test_a_participant_of_two_scans_has_no_part_in_its_own_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = [_scan(0), _scan(1), _scan(2), _scan(3)]
    priors = []

    def spy(mean_lesion: np.ndarray, sizes: tuple[float, float, float]) -> np.ndarray:
        priors.append(np.array(mean_lesion))
        return smooth_prior(mean_lesion, sizes)

    monkeypatch.setattr(fitted_nulls, "smooth_prior", spy)
    _fit(scans, ["sub-a", "sub-a", "sub-b", "sub-c"])
    masks = [one.lesions for one in scans]
    expected = [masks[2:], masks[2:], [masks[0], masks[1], masks[3]], masks[:3]]
    for found, others in zip(priors, expected, strict=True):
        np.testing.assert_allclose(found, np.mean(others, axis=0), atol=1e-6)


def test_of_many_scans_some_are_read_and_all_are_in_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_nulls, "SCANS", 3)
    scans = [_scan(n) for n in range(7)]
    fitted = _fit(scans)
    assert (fitted.scans, fitted.participants, fitted.scans_read) == (7, 7, 3)
    np.testing.assert_allclose(fitted.learned.mean_lesion, np.mean([one.lesions for one in scans], axis=0), atol=1e-6)
    assert _fit(scans).learned.logistic == fitted.learned.logistic
    assert _fit(scans, seed=1).learned.logistic != fitted.learned.logistic


def test_without_lesions_there_is_nothing_to_learn_and_the_reason_is_said() -> None:
    nobody = fit_nulls([], lambda n: _scan(n), SEEN, voxel_sizes=SIZES, seed=0)
    assert nobody.learned == Learned()
    assert (nobody.learned.percent, nobody.learned.missing) == (1.0, NO_LESIONS)
    empty = _fit([_scan(0, lesions=0), _scan(1, lesions=0)])
    assert (empty.learned.mean_lesion, empty.learned.logistic, empty.learned.percent) == (None, None, 1.0)
    assert empty.learned.missing == "no training participant has a lesion in the seen brain"
    one = _fit([_scan(0), _scan(1)], ["sub-a", "sub-a"])
    assert one.learned.logistic is None
    assert one.learned.missing.startswith("fewer than two")
    assert one.learned.mean_lesion is not None
    subject = _scan(2)
    nulls = null_maps(subject.image, subject.brain, SEEN, one.learned, voxel_sizes=SIZES, seed=0)
    assert set(nulls.missing) == {"logistic"}
    unseen = [_scan(n) for n in range(3)]
    blind = fit_nulls(["a", "b", "c"], lambda n: unseen[n], ~SEEN, voxel_sizes=SIZES, seed=0)
    assert blind.learned.logistic is None
    assert blind.learned.missing == "no training participant has a lesion in the seen brain"


def test_lesions_all_over_the_brain_are_no_lesson() -> None:
    full = [TrainingScan(image=one.image, brain=one.brain, lesions=one.brain) for one in (_scan(0), _scan(1))]
    fitted = _fit(full)
    assert (fitted.learned.logistic, fitted.learned.percent, fitted.scores) == (None, 1.0, ())


def test_what_is_the_same_everywhere_tells_nothing_and_warns_nobody() -> None:
    """As in scans that are masks: the weighted variance of 1.0 came out a little below 0."""
    generator = np.random.default_rng(0)
    known = np.stack([np.full(5000, 0.7), generator.normal(size=5000), np.zeros(5000)], axis=1).astype(np.float32)
    label = known[:, 1] + generator.normal(size=5000) > 1.0
    for seed in range(20):
        weight = np.random.default_rng(seed).uniform(1.0, 400.0, 5000)
        fitted = _regression(known, label, weight)
        assert (fitted.sd[0], fitted.sd[2]) == (1.0, 1.0)
        assert np.isfinite([*fitted.mean, *fitted.sd, *fitted.weights, fitted.intercept]).all()
        assert fitted.weights[1] > 0.5
