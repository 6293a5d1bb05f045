from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from pellucid.analysis.classification import over_trials
from pellucid.analysis.crossed import correction, weakened
from pellucid.analysis.permutation import permutation_p


def test_the_correction_is_nadeau_and_bengio_s() -> None:
    for folds in range(2, 20):
        test, train, variance = 1.0, folds - 1.0, 0.37
        assert correction(folds) ** 2 * variance / folds == pytest.approx((1 / folds + test / train) * variance)


@given(st.floats(1.0, 3.0), st.floats(-6.0, 6.0))
def test_a_p_becomes_that_of_a_smaller_statistic(factor: float, z: float) -> None:
    one = weakened(norm.sf(z), factor, sides=1)
    two = weakened(2 * norm.sf(abs(z)), factor, sides=2)
    assert one == pytest.approx(norm.sf(z / factor), rel=1e-6)
    assert two == pytest.approx(2 * norm.sf(abs(z) / factor), rel=1e-6)


def test_what_is_missing_stays_so_and_certain_ends_stay_finite() -> None:
    assert weakened(0.3, 1.0, sides=1) == 0.3
    assert weakened([0.0, 1.0, 0.5], 2.0, sides=1).tolist() == [0.0, 1.0, 0.5]
    assert np.isnan(weakened(float("nan"), 2.0, sides=2))
    assert weakened(1.0, 2.0, sides=2) == 1.0


def test_without_an_effect_a_cross_validation_misses_a_half_too_often_and_corrected_not() -> None:
    """Noise, judged in 5 folds by the difference of the groups' means; experiments/auc_coverage.py has more of it."""
    factor, raw, mended = correction(5), [], []
    chances: dict[float, list[float]] = {1.0: [], factor: []}
    for seed in range(200):
        rng = np.random.default_rng([3, seed])
        label = np.repeat([0, 1], 30)
        x = rng.normal(size=(60, 300)) / np.sqrt(np.arange(1, 301))
        parts = []
        for fold, (train, test) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(x, label)):
            direction = x[train][label[train] == 1].mean(axis=0) - x[train][label[train] == 0].mean(axis=0)
            parts.append(pd.DataFrame({"participant_id": test, "label": label[test], "logit": x[test] @ direction}))
            parts[-1]["fold"] = fold
        predictions = pd.concat(parts).assign(trial=0)
        for missed, by in ((raw, 1.0), (mended, factor)):
            auc = over_trials(predictions, correction=by).set_index("metric").loc["auc"]
            missed.append(not auc["low"] <= 0.5 <= auc["high"])
        for by, found in chances.items():
            found.append(permutation_p(predictions, "auc", permutations=199, correction=by, seed=1).p)
    assert np.mean(raw) > 0.10
    assert np.mean(mended) <= 0.05
    assert (np.array(chances[1.0]) <= 0.05).mean() > 0.075
    assert (np.array(chances[factor]) <= 0.05).mean() <= 0.05
