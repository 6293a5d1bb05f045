"""DeLong, McNemar and the permutation tests against plain loops, closed sums and simulation."""

from __future__ import annotations

from itertools import permutations as orders
from itertools import product
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm, ttest_rel
from sklearn.metrics import roc_auc_score

from pellucid.analysis.bootstrap import resample
from pellucid.analysis.classification import over_trials, scores
from pellucid.analysis.comparison import delong, mcnemar, paired, paired_trials
from pellucid.analysis.permutation import permutation_p
from pellucid.analysis.proportions import auc_interval
from pellucid.ground.errors import InputError

COLUMNS = [
    *("metric", "test", "p_from", "one", "two", "difference", "low", "high", "p", "few"),
    *("better_one", "better_two", "n_both", "n_only_one", "n_only_two"),
]


def _slow_delong(
    label: np.ndarray, one: np.ndarray, two: np.ndarray, fold: np.ndarray | None = None
) -> tuple[float, float]:
    """Return difference and SE with DeLong's full covariance matrix, kernel by kernel."""
    v, w = [], []
    for logit in (one, two):
        x, y = logit[label == 1], logit[label == 0]
        kernel = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
        if fold is not None:
            same = fold[label == 1][:, None] == fold[label == 0]
            kernel *= same * same.size / same.sum()
        v.append(kernel.mean(axis=1))
        w.append(kernel.mean(axis=0))
    covariance = np.cov(v) / len(v[0]) + np.cov(w) / len(w[0])
    contrast = np.array([1.0, -1.0])
    return float(v[0].mean() - v[1].mean()), float(np.sqrt(max(contrast @ covariance @ contrast, 0.0)))


def _sample(patients: int, controls: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    label = np.repeat([1, 0], [patients, controls])
    shared = generator.normal(size=label.size) + label
    return label, shared + generator.normal(size=label.size), shared + 2 * generator.normal(size=label.size)


def _table(label: np.ndarray, logits: np.ndarray, *, scans: int = 1, start: int = 0) -> pd.DataFrame:
    """Lay out logits (n, trials) or (n * scans, trials) as predictions."""
    logits = logits.reshape(label.size, scans, -1)
    rows = [
        (f"trial-{t}", f"sub-{n + start:04d}", f"ses-{s}", int(label[n]), logits[n, s, t])
        for n, s, t in product(*map(range, logits.shape))
    ]
    return pd.DataFrame(rows, columns=["trial", "participant_id", "session_id", "label", "logit"])


SAMPLES = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4), st.integers(-4, 4)), min_size=4, max_size=30)


@given(SAMPLES)
def test_delong_equals_its_slow_twin_and_swapping_flips_the_sign(sample: list[tuple[int, int, int]]) -> None:
    label, one, two = np.array(sample).T
    if min((label == 1).sum(), (label == 0).sum()) < 2:
        with pytest.raises(InputError):
            delong(label, one, two)
        return
    there, back = delong(label, one, two), delong(label, two, one)
    difference, se = _slow_delong(label, one, two)
    assert there.difference == pytest.approx(difference)
    assert there.se == pytest.approx(se, abs=1e-8)
    assert there.difference == pytest.approx(there.auc_one - there.auc_two)
    assert back.difference == pytest.approx(-there.difference)
    assert back.p == pytest.approx(there.p, nan_ok=True)
    assert back.correlation == pytest.approx(there.correlation)


@given(SAMPLES, st.lists(st.integers(0, 2), min_size=30, max_size=30))
def test_within_folds_delong_equals_its_slow_twin(sample: list[tuple[int, int, int]], folds: list[int]) -> None:
    label, one, two = np.array(sample).T
    fold = np.array(folds[: len(label)])
    if min((label == 1).sum(), (label == 0).sum()) < 2:
        return
    if not (fold[label == 1][:, None] == fold[label == 0]).any():
        with pytest.raises(InputError, match="no model evaluated both a patient and a control"):
            delong(label, one, two, folds=(fold, fold))
        return
    found = delong(label, one, two, folds=(fold, fold))
    difference, se = _slow_delong(label, one, two, fold)
    assert found.difference == pytest.approx(difference)
    assert found.se == pytest.approx(se, abs=1e-8)
    assert found.auc_one == pytest.approx(scores(label, one, fold)["auc"])
    np.testing.assert_allclose(delong(label, one + 20 * fold, two, folds=(fold, fold)), found, atol=1e-12)


@given(SAMPLES)
def test_delong_knows_only_the_order(sample: list[tuple[int, int, int]]) -> None:
    label, one, two = np.array(sample).T
    if min((label == 1).sum(), (label == 0).sum()) >= 2:
        np.testing.assert_array_equal(delong(label, np.exp(one), two**3 + 7), delong(label, one, two))


def test_delong_of_a_sample_that_a_hand_can_check() -> None:
    """One: V = 1, 1/2; W = 1/2, 1. Two: V = 1, 1; W = 1, 1. So dV = 0, -1/2 and dW = -1/2, 0."""
    result = delong([1, 1, 0, 0], [4, 2, 3, 1], [4, 3, 2, 1])
    assert (result.auc_one, result.auc_two, result.difference) == (0.75, 1.0, -0.25)
    assert result.se == pytest.approx(np.sqrt(0.125 / 2 + 0.125 / 2))
    assert result.p == pytest.approx(2 * norm.cdf(-0.25 / result.se))
    assert result.correlation == 0.0  # a perfect one has no variance


def test_delong_agrees_with_a_large_bootstrap() -> None:
    label, one, two = _sample(120, 100, seed=1)
    draws = [
        roc_auc_score(label[d], one[d]) - roc_auc_score(label[d], two[d])
        for d in resample(label, resamples=800, seed=0)
    ]
    assert delong(label, one, two).se == pytest.approx(np.std(draws), rel=0.08)


def test_within_folds_delong_agrees_with_a_large_bootstrap() -> None:
    label, one, two = _sample(120, 100, seed=1)
    fold = np.arange(220) % 5
    one, two = one + 2 * fold, two - 3 * fold
    draws = [
        scores(label[d], one[d], fold[d])["auc"] - scores(label[d], two[d], fold[d])["auc"]
        for d in resample(label, resamples=500, seed=0)
    ]
    assert delong(label, one, two, folds=(fold, fold)).se == pytest.approx(np.std(draws), rel=0.1)


def test_delong_without_variance() -> None:
    label, one, _ = _sample(5, 4, seed=2)
    for same in (delong(label, one, one), delong([1, 1, 0, 0], [2, 3, 0, 1], [3, 2, 1, 0])):  # equal, or both perfect
        assert (same.difference, same.se, same.p) == (0.0, 0.0, 1.0)
    apart = delong([1, 1, 0, 0], [2, 3, 0, 1], [0, 0, 0, 0])
    assert (apart.difference, apart.se) == (0.5, 0.0)
    assert np.isnan(apart.p)


def test_delong_s_p_is_uniform_where_neither_is_better() -> None:
    generator = np.random.default_rng(3)
    label = np.repeat([1, 0], 60)
    ps = [delong(label, *(label + generator.normal(size=(2, 120)))).p for _ in range(400)]
    assert kstest(ps, "uniform").pvalue > 0.01


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_equals_the_closed_binomial_sum(b: int, c: int) -> None:
    label = np.r_[np.ones(b + c, dtype=int), 1, 0]
    one = np.r_[np.ones(b), -np.ones(c), 1, -1]
    two = np.r_[-np.ones(b), np.ones(c), 1, -1]
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    result = mcnemar(label, one, two)
    assert (result.only_one, result.only_two) == (b, c)
    assert result.p == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(label, two, one) == (c, b, pytest.approx(result.p))


@pytest.mark.parametrize(("metric", "folds"), [("auc", 1), ("balanced_accuracy", 1), ("auc", 2)])
def test_few_participants_are_permuted_in_every_order(metric: str, folds: int) -> None:
    label = np.array([1, 1, 0, 0, 0, 1] if folds > 1 else [1, 1, 0, 0])
    noise = np.random.default_rng(4).normal(size=(2 * label.size, 3))
    table = _table(label, noise + label.repeat(2)[:, None], scans=2)
    table["fold"] = table["participant_id"].str[-1].astype(int) * (1 + table["trial"].str[-1].astype(int)) % folds
    if folds > 1:
        table = table[~((table["participant_id"] == "sub-0001") & (table["session_id"] == "ses-1"))]

    def mean(labels: tuple[int, ...]) -> float:
        named = dict(zip(sorted(table["participant_id"].unique()), labels, strict=True))
        every = table.groupby(["trial", "participant_id"])[["logit", "fold"]].mean().reset_index()
        every = every.assign(label=every["participant_id"].map(named))  # a person counts once
        each = [scores(rows["label"], rows["logit"], rows["fold"])[metric] for _, rows in every.groupby("trial")]
        return float(np.mean(np.nan_to_num(each, nan=0.5)))  # labels of which no fold has both say nothing

    observed = mean(tuple(label))
    expected = np.mean([mean(order) >= observed - 1e-9 for order in orders(label)])
    assert permutation_p(table, metric, seed=0) == (pytest.approx(expected), "permutations")


def test_a_participant_counts_once_however_many_scans() -> None:
    """Two scans of the one patient, one of the others: its mean logit is permuted with theirs."""
    label = np.array([1, 0, 0, 0])
    table = _table(label, np.array([3.0, 2.5, 1, 0, -1, 2, 2.7, -2]), scans=2)
    table = table[(table["session_id"] == "ses-0") | (table["label"] == 1)]
    logit = table.groupby("participant_id")["logit"].mean()
    aucs = [scores(logit.index == one, logit)["auc"] for one in logit.index]
    assert permutation_p(table, "auc", seed=0).p == pytest.approx(np.mean(np.array(aucs) >= aucs[0] - 1e-9))


def test_the_permutation_p_is_uniform_under_the_null_and_small_under_a_signal() -> None:
    generator = np.random.default_rng(5)
    label = np.repeat([1, 0], 15)
    ps = [
        permutation_p(_table(label, generator.normal(size=(30, 1))), "auc", permutations=199, seed=n).p
        for n in range(150)
    ]
    assert kstest(ps, "uniform").pvalue > 0.01
    signal = _table(label, 4.0 * label[:, None] - 2 + generator.normal(size=(30, 2)))
    for metric in ("auc", "balanced_accuracy"):
        assert permutation_p(signal, metric, permutations=199, seed=0).p == pytest.approx(1 / 200)
    noise = _table(label, generator.normal(size=(30, 2)))
    assert permutation_p(noise, "auc", permutations=99, seed=0) == permutation_p(noise, "auc", permutations=99, seed=0)


def test_paired_counts_each_participant_once_and_leaves_out_who_is_in_one_arm_only() -> None:
    label, one, two = _sample(8, 6, seed=6)
    generator = np.random.default_rng(6)
    wobble = generator.normal(size=(14, 2, 3))
    wobble -= wobble.mean(axis=1, keepdims=True)  # gone in the mean over two scans
    arm_one = pd.concat(
        [
            _table(label, one[:, None, None] + wobble, scans=2),
            _table(np.array([1, 0]), generator.normal(size=(4, 3)), scans=2, start=90),
        ]
    )
    arm_two = pd.concat([_table(label, two[:, None]), _table(np.array([1]), np.ones((1, 1)), start=95)])
    table = paired(arm_one, arm_two.sample(frac=1, random_state=0), seed=0).set_index("metric")
    assert ["metric", *table.columns] == COLUMNS
    assert (table[["n_both", "n_only_one", "n_only_two"]] == [14, 2, 1]).to_numpy().all()
    area, exact = delong(label, one, two), mcnemar(label, one, two)
    assert table.loc["auc", ["one", "two", "difference", "p"]].tolist() == pytest.approx([*area[:3], area.p])
    assert table.loc["auc", "low"] < area.difference < table.loc["auc", "high"]
    assert set(table["test"]) == {"DeLong", "permutation"}  # three trials are not one
    assert (table[["better_one", "better_two"]] == list(exact[:2])).to_numpy().all()
    for arm, logit in (("one", one), ("two", two)):
        assert table.loc["balanced_accuracy", arm] == pytest.approx(scores(label, logit)["balanced_accuracy"])
        assert table.loc["accuracy", arm] == pytest.approx(np.mean((logit > 0) == label))
    for metric in ("accuracy", "balanced_accuracy"):
        row = table.loc[metric]
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["difference"] == pytest.approx(row["one"] - row["two"])


def test_an_arm_s_score_is_the_mean_over_its_trials_as_in_the_table_of_scores() -> None:
    """Three networks against one: three that vote would be better than each, and that is not what is asked."""
    label, _, two = _sample(20, 15, seed=10)
    generator = np.random.default_rng(11)
    three = label[:, None] + 1.5 * generator.normal(size=(35, 3))
    table = paired(_table(label, three), _table(label, two), seed=0).set_index("metric")
    for arm, logits in (("one", three), ("two", two[:, None])):
        means = over_trials(_table(label, logits)).set_index("metric")["mean"]
        for metric in ("auc", "balanced_accuracy"):
            assert table.loc[metric, arm] == pytest.approx(means[metric])
    kernels = [(np.sign(x[label == 1][:, None] - x[label == 0]) + 1) / 2 for x in three.T]
    other = (np.sign(two[label == 1][:, None] - two[label == 0]) + 1) / 2
    apart = np.mean(kernels, axis=0) - other
    variance = apart.mean(axis=1).var(ddof=1) / 20 + apart.mean(axis=0).var(ddof=1) / 15
    found = delong(label, three, two)
    assert found.se == pytest.approx(np.sqrt(variance))
    assert found.difference == pytest.approx(apart.mean())
    assert table.loc["auc", "p"] == pytest.approx(found.p)


def test_a_cross_validation_is_compared_within_folds_as_it_is_scored() -> None:
    label, one, two = _sample(20, 15, seed=14)
    fold = np.stack([np.arange(35) % 5, np.arange(35) // 2 % 5], axis=1)
    logits = np.stack([one, two], axis=1) + 6 * fold
    tables = [
        _table(label, logits).assign(fold=fold.ravel()),  # two repeats
        _table(label, two[:, None]).assign(fold=fold[:, 0]),
    ]
    table = paired(*tables, seed=0).set_index("metric")
    for arm, predictions in zip(("one", "two"), tables, strict=True):
        means = over_trials(predictions).set_index("metric")["mean"]
        assert table.loc["auc", arm] == pytest.approx(means["auc"])
    pooled = paired(*(one.drop(columns="fold") for one in tables), seed=0).set_index("metric")
    assert table.loc["auc", "one"] > pooled.loc["auc", "one"] + 0.05
    assert table.loc["accuracy"].equals(pooled.loc["accuracy"])


def test_several_equal_models_are_one() -> None:
    label, one, two = _sample(9, 7, seed=12)
    np.testing.assert_allclose(delong(label, np.column_stack([one] * 3), two), delong(label, one, two))
    same = delong(label, np.column_stack([one] * 3), one)
    assert (same.difference, same.p) == (pytest.approx(0.0, abs=1e-12), 1.0)


def test_the_correction_divides_the_statistic_and_widens_the_interval() -> None:
    label, one, two = _sample(30, 20, seed=13)
    plain, mended = (
        paired(_table(label, one), _table(label, two), correction=by, seed=0).set_index("metric") for by in (1.0, 1.5)
    )
    assert (mended["difference"] == plain["difference"]).all()
    assert (mended["p"] > plain["p"] - 0.02).all()  # accuracies are discrete
    z = norm.isf(plain.loc["auc", "p"] / 2)
    assert mended.loc["auc", "p"] == pytest.approx(2 * norm.sf(z / 1.5))
    widths = (mended["high"] - mended["low"]) / (plain["high"] - plain["low"])
    assert widths.drop("auc").to_numpy() == pytest.approx(1.5)
    assert 1.3 < widths["auc"] < 1.6


def test_the_interval_of_an_auc_difference_is_that_of_both_aucs_less_what_they_share() -> None:
    """One: all pairs right. Two: 5 of 6. By Zou's formula, from the intervals of both, which a perfect one has too."""
    label = np.array([1, 1, 1, 0, 0])
    one, two = np.array([5.0, 4, 3, 2, 1]), np.array([5.0, 4, 2, 3, 1])
    (low, high), (m, v) = (auc_interval(auc, [(3, 2)]) for auc in (1.0, 5 / 6))
    found = paired(_table(label, one), _table(label, two), seed=0).set_index("metric").loc["auc"]
    assert found["low"] == pytest.approx(1 / 6 - np.hypot(1 - low, v - 5 / 6))
    assert found["high"] == pytest.approx(1 / 6 + np.hypot(high - 1, 5 / 6 - m))
    both = paired(_table(label, one), _table(label, one), seed=0).set_index("metric").loc["auc"]
    assert both["high"] == -both["low"] == pytest.approx(1 - low)  # nobody is wrong, which two could share
    same = paired(_table(label, two), _table(label, two), seed=0).set_index("metric").loc["auc"]
    x, y, r = 5 / 6 - m, v - 5 / 6, 5 / 7  # all alike in five people
    assert same["high"] == pytest.approx(np.sqrt(x * x + y * y - 2 * r * x * y))


@pytest.mark.parametrize(("people", "aucs", "trials"), [((13, 10), (0.98, 0.9), 1), ((3, 2), (0.95, 0.8), 10)])
def test_intervals_of_auc_differences_hold_their_level(
    people: tuple[int, int], aucs: tuple[float, float], trials: int
) -> None:
    """Where difference -+ 1.96 SE of DeLong held 87 and 78 %; experiments/interval_coverage.py has more."""
    generator, label = np.random.default_rng(1), np.repeat([1, 0], people)
    held = 0
    for _ in range(150):
        own = np.sqrt(0.7) * generator.normal(size=(label.size, 1))
        one, two = (
            own
            + np.sqrt(0.3) * generator.normal(size=(label.size, trials))
            + np.sqrt(2) * norm.ppf(auc) * label[:, None]
            for auc in aucs
        )
        row = paired(_table(label, one), _table(label, two), permutations=1, seed=0).iloc[0]
        held += row["low"] <= aucs[0] - aucs[1] <= row["high"]
    assert held >= 140  # 93 %


def test_the_flip_test_equals_all_flips() -> None:
    label, one, two = _sample(5, 4, seed=7)
    right = np.array([(logit > 0) == label for logit in (one, two)], dtype=float)
    weight = np.where(label == 1, 1 / 10, 1 / 8)
    observed = abs(weight @ (right[0] - right[1]))
    all_flips = [abs(weight @ (np.array(s) * (right[0] - right[1]))) for s in product((-1, 1), repeat=9)]
    table = paired(_table(label, one), _table(label, two), seed=0).set_index("metric")
    expected = np.mean(np.array(all_flips) >= observed - 1e-9)
    assert table.loc["balanced_accuracy", "p"] == pytest.approx(expected)
    assert table.loc["accuracy", ["test", "p"]].tolist() == ["McNemar", pytest.approx(mcnemar(label, one, two).p)]


def test_swapping_the_arms_flips_the_table() -> None:
    label, one, two = _sample(30, 20, seed=8)
    there = paired(_table(label, one), _table(label, two), seed=0)
    back = paired(_table(label, two), _table(label, one), seed=0)
    np.testing.assert_allclose(back["difference"], -there["difference"])
    np.testing.assert_allclose(back["low"], -there["high"], atol=1e-12)
    np.testing.assert_allclose(back["p"], there["p"], atol=0.02)
    same = paired(_table(label, one), _table(label, one), seed=0)
    assert (same["difference"] == 0).all()
    assert (same["p"] == 1).all()


def test_what_cannot_be_compared_is_refused() -> None:
    label, one, two = _sample(3, 3, seed=9)
    arm = _table(label, one)
    with pytest.raises(InputError, match="no variance"):
        delong([1, 0, 0], [1, 2, 3], [1, 2, 3])
    with pytest.raises(InputError, match="differ in shape"):
        delong(label, one, two[1:])
    with pytest.raises(InputError, match="not finite"):
        mcnemar(label, one, np.full(6, np.nan))
    with pytest.raises(InputError, match="'accuracy' has no permutation test"):
        permutation_p(arm, "accuracy", seed=0)
    with pytest.raises(InputError, match="no controls"):
        permutation_p(arm.assign(label=1), "auc", seed=0)
    with pytest.raises(InputError, match="different labels to sub-0000"):
        paired(arm, _table(1 - label, two), seed=0)
    with pytest.raises(InputError, match="no participant in common"):
        paired(arm, _table(label, two, start=50), seed=0)


def trial_scores(**arms: list[float]) -> pd.DataFrame:
    rows = [(arm, n, auc) for arm, aucs in arms.items() for n, auc in enumerate(aucs)]
    return pd.DataFrame(rows, columns=["arm", "trial", "auc"])


def test_trials_are_paired_by_number_as_in_the_paired_t_test() -> None:
    rng = np.random.default_rng(5)
    a, b, c = (rng.uniform(0.5, 1.0, size=n).tolist() for n in (6, 6, 4))
    table = paired_trials(trial_scores(a=a, b=b, c=c)).set_index(["arm_one", "arm_two"])
    assert table.index.tolist() == [("a", "b"), ("a", "c"), ("b", "c")]
    for (one, two), (x, y) in {("a", "b"): (a, b), ("b", "c"): (b[:4], c)}.items():
        row, found = table.loc[(one, two)], ttest_rel(x, y)
        assert row["n_trials"] == len(x)
        assert row["difference"] == pytest.approx(np.mean(x) - np.mean(y))
        assert row["sd"] == pytest.approx(np.std(np.subtract(x, y), ddof=1))
        assert row["p"] == pytest.approx(found.pvalue)
        assert (row["low"], row["high"]) == pytest.approx(tuple(found.confidence_interval(0.95)))


def test_one_trial_cannot_be_paired_and_trials_without_spread_have_no_interval() -> None:
    assert paired_trials(trial_scores(a=[0.7], b=[0.8])).empty
    row = paired_trials(trial_scores(a=[0.75, 0.5], b=[0.5, 0.25])).iloc[0]
    assert (row["difference"], row["sd"]) == (0.25, 0.0)
    assert row[["low", "high", "p"]].isna().all()
