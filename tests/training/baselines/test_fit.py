from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from pellucid.cohort.store import Store
from pellucid.ground.errors import InputError, LeakageError
from pellucid.ground.files import read_json, read_tsv, sha256
from pellucid.image.grid import MNI_1MM, resized
from pellucid.image.nifti import read_volume
from pellucid.training.baselines import files, fit
from pellucid.training.baselines.files import BaselineResult, read_baseline
from pellucid.training.baselines.fit import run_baseline
from pellucid.training.baselines.search import Data, participant_folds
from pellucid.training.baselines.settings import BaselineSettings

Rows = dict[str, np.ndarray]
GRID = resized(MNI_1MM, (8, 9, 7))
DECADES = [0.001, 0.01, 0.1, 1.0, 10.0]
N = 72
ROWS = {"train": np.arange(0, 48), "validation": np.arange(48, 58), "holdout": np.arange(58, N)}
FIT = np.arange(58)


def make_store(folder: Path, *, signal: float = 0.4, seed: int = 0) -> Store:
    """Make 72 scans of 70 participants; the patients' are brighter in a corner and have more lesions."""
    generator = np.random.default_rng(seed)
    label = generator.permutation(np.arange(N) % 2)
    label[1], label[61] = label[0], label[60]
    names = [f"sub-{i:02d}" for i in range(N)]
    names[1], names[61] = names[0], names[60]
    images = generator.normal(2.0, 1.0, (N, *GRID.shape)).astype(np.float32)
    images[label == 1, :4, :4, :4] += signal
    images[:, 0] = 0.0
    masks = generator.random(images.shape) < np.where(label == 1, 0.02, 0.01)[:, None, None, None]
    table = pd.DataFrame(
        {
            "participant_id": names,
            "session_id": pd.array(["ses-2" if i in (1, 61) else None for i in range(N)], dtype="string"),
            "group": np.where(label == 1, "MS", "HC"),
            "label": label,
            "age": generator.normal(40, 10, N) + 4 * label,
            "sex": pd.array(generator.choice(["F", "M"], N), dtype="string"),
            "lesion_volume_ml": generator.exponential(1.0, N) * (1 + 4 * label),
            "has_lesion_mask": True,
            "sha256": [f"{i:064x}" for i in range(N)],
            "brightness_robust": generator.normal(0.5, 0.1, N),
        }
    )
    return Store(
        folder=folder,
        grid=GRID,
        scaling="robust",
        modality="FLAIR",
        classes={0: "HC", 1: "MS"},
        table=table,
        problems=[],
        images=images,
        brain=np.broadcast_to(np.arange(8)[:, None, None] > 0, images.shape),
        masks=masks,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "ms")


def with_column(store: Store, name: str, rows: list[int], value: Any) -> Store:
    table = store.table.copy()
    table.loc[rows, name] = value
    return replace(store, table=table)


def with_images(store: Store, rows: np.ndarray, images: np.ndarray) -> Store:
    changed = store.images.copy()
    changed[rows] = images
    return replace(store, images=changed)


def run(store: Store, folder: Path, kind: str = "svm-lesion-load", rows: Rows = ROWS, **changes: Any) -> BaselineResult:
    return run_baseline(store, rows, BaselineSettings(kind=kind, **changes), folder)  # type: ignore[arg-type]


def folds_of(store: Store, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    label, people = store.table["label"].to_numpy(), store.table["participant_id"].to_numpy(dtype=object)
    return participant_folds(Data(store.images, label, people, FIT, np.arange(0)), 5, seed)


class SlowSVM:
    """The same machine, written with scikit-learn on the features themselves."""

    def __init__(self, kernel: str, c: float, gamma: float | None, components: int) -> None:
        steps: list[Any] = [VarianceThreshold(1e-12), StandardScaler()]
        if components:
            steps.append(PCA(components, svd_solver="full"))
        self.before = make_pipeline(*steps)
        self.kernel, self.c, self.gamma = kernel, c, gamma

    def fit(self, x: np.ndarray, label: np.ndarray) -> SlowSVM:
        f = self.before.fit_transform(x)
        v = f.var(axis=0).sum()
        if self.kernel == "linear":
            svm = SVC(kernel="linear", C=self.c / v, tol=1e-6)
        else:
            svm = SVC(kernel="rbf", C=self.c, gamma=self.gamma / v, tol=1e-6)
        self.svm = svm.fit(f, label)
        return self

    def decision(self, x: np.ndarray) -> np.ndarray:
        decision: np.ndarray = self.svm.decision_function(self.before.transform(x))
        return decision


def slow_search(x: np.ndarray, label: np.ndarray, folds: list[Any], components: list[int]) -> tuple[list[Any], Any]:
    """Return the means of the grid and the point that wins."""
    points = [
        (kernel, c, gamma, k)
        for c in DECADES
        for k in components
        for kernel, gamma in [("linear", None), *(("rbf", g) for g in DECADES)]
    ]
    means = []
    for point in points:
        scores = []
        for training, test in folds:
            model = SlowSVM(*point).fit(x[training], label[training])
            scores.append(balanced_accuracy_score(label[test], model.decision(x[test]) > 0))
        means.append(np.mean(scores))
    return means, points[int(np.argmax(np.round(means, 12)))]


@pytest.mark.parametrize(
    ("kind", "components"),
    [("svm-lesion-load", (0,)), ("svm-image", (0,)), ("svm-image", (3, 10)), ("svm-image", (0, 5, 500))],
)
def test_against_scikit_learn_on_the_features(
    store: Store, tmp_path: Path, kind: str, components: tuple[int, ...]
) -> None:
    result = run(store, tmp_path / "out", kind, components=components)
    x = store.table[["lesion_volume_ml"]].to_numpy() if kind == "svm-lesion-load" else store.images.reshape(N, -1)
    x, label = x.astype(np.float64), store.table["label"].to_numpy()
    folds = folds_of(store)
    most = min(len(training) for training, _ in folds) - 1
    counts = sorted({min(k, most) for k in components})
    means, best = slow_search(x[FIT], label[FIT], folds, counts)
    np.testing.assert_allclose(result.history["mean"], means)
    chosen = result.described["chosen"]
    assert (chosen["kernel"], chosen["C"], chosen["gamma"], chosen["components"]) == best
    assert chosen["metric"] == "balanced_accuracy"
    decision = SlowSVM(*best).fit(x[FIT], label[FIT]).decision(x)
    np.testing.assert_allclose(result.predictions["logit"], decision, atol=1e-6)


@pytest.mark.parametrize("missing", [[], [3, 50, 60]])
def test_confounds_against_scikit_learn(store: Store, tmp_path: Path, missing: list[int]) -> None:
    store = with_column(with_column(store, "age", missing, np.nan), "sex", missing[:1], pd.NA)
    result = run(store, tmp_path / "out", "logistic-confounds", confounds=("sex", "age", "brightness"))
    table = store.table
    sex = table["sex"].map({"F": 0.0, "M": 1.0}).to_numpy(dtype=float, na_value=np.nan)
    x = np.column_stack([sex, table["age"], table["brightness_robust"]])
    label = table["label"].to_numpy()
    slow = GridSearchCV(
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": DECADES},
        cv=folds_of(store),
        scoring="balanced_accuracy",
    ).fit(x[FIT], label[FIT])
    np.testing.assert_allclose(result.history["mean"], slow.cv_results_["mean_test_score"])
    assert result.described["chosen"]["C"] == slow.best_params_["logisticregression__C"]
    np.testing.assert_allclose(result.predictions["logit"], slow.decision_function(x), atol=1e-6)
    weights = np.array([result.described["weights"][name] for name in ("sex", "age", "brightness")])
    filled = np.where(np.isnan(x), np.nanmean(x[FIT], axis=0), x)
    np.testing.assert_allclose(filled @ weights + result.described["intercept"], result.predictions["logit"])
    imputed = result.described["imputed"]
    assert (imputed["age"]["fit"], imputed["age"]["other"]) == ((2, 1) if missing else (0, 0))
    assert imputed["sex"]["fit"] == len(missing[:1])
    assert imputed["age"]["by"] == pytest.approx(np.nanmean(x[FIT, 1]))
    assert result.excluded == []


def test_confounds_can_be_excluded_instead(store: Store, tmp_path: Path) -> None:
    store = with_column(with_column(store, "age", [3, 60], np.nan), "sex", [3], pd.NA)
    result = run(store, tmp_path / "out", "logistic-confounds", missing="exclude")
    assert [(e["participant_id"], e["role"], e["reason"]) for e in result.excluded] == [
        ("sub-03", "train", "age, sex missing"),
        ("sub-60", "holdout", "age missing"),
    ]
    assert len(result.predictions) == N - 2
    assert all(entry["fit"] == entry["other"] == 0 for entry in result.described["imputed"].values())
    assert sorted(result.described["weights"]) == ["age", "brain_volume_ml", "brightness", "sex"]


def test_files(store: Store, tmp_path: Path) -> None:
    result = run(store, tmp_path / "out", "svm-image", components=(3,))
    names = sorted(path.name for path in result.folder.iterdir())
    linear = ["weights.json", "weights.nii.gz"] if result.described["chosen"]["kernel"] == "linear" else []
    assert names == ["history.tsv", "model.json", "predictions.tsv", *linear]
    assert result.history.columns.tolist() == [
        *("kernel", "C", "gamma", "components", "metric", "mean", "sd", "chosen"),
    ]
    assert result.history["chosen"].sum() == 1
    assert len(result.history) == 30
    assert (result.history["C"].diff().dropna() >= 0).all()
    table = result.predictions
    assert table.columns.tolist() == [
        *("participant_id", "session_id", "group", "label", "role", "logit", "probability_not_calibrated"),
    ]
    assert table["role"].tolist() == ["train"] * 48 + ["validation"] * 10 + ["holdout"] * 14
    assert table["participant_id"].tolist() == store.table["participant_id"].tolist()
    assert table["probability_not_calibrated"].isna().all()  # a margin is no log-odds
    described = read_json(result.folder / "model.json")
    assert described["settings"] == BaselineSettings(kind="svm-image", components=(3,)).to_json()
    assert described["scans"] == {"train": 48, "validation": 10, "holdout": 14}
    words = "sigmoid of the decision value; missing where that is a margin, no log-odds"
    assert described["probability_not_calibrated"] == words
    assert "sub-" not in (result.folder / "model.json").read_text()


@pytest.mark.parametrize("protocol", ["revised", "paper"])
def test_a_linear_machine_s_weights_give_its_logits(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setattr("pellucid.training.baselines.svm.DECADES", (0.1,))
    monkeypatch.setattr("pellucid.training.baselines.svm.rbf_kernel", lambda kernel, gamma: np.zeros_like(kernel))
    result = run(store, tmp_path / "out", "svm-image", protocol=protocol)
    assert result.described["chosen"]["kernel"] == "linear"
    assert result.described["weights"] == "weights.nii.gz"
    volume = read_volume(result.folder / "weights.nii.gz")
    assert volume.grid.matches(GRID)
    assert (volume.data[0] == 0).all()  # never varies
    logit = store.images.reshape(N, -1).astype(np.float64) @ volume.data.ravel() + result.described["intercept"]
    np.testing.assert_allclose(result.predictions["logit"], logit, atol=1e-5)
    sidecar = json.loads((result.folder / "weights.json").read_text())
    assert sidecar["Intercept"] == result.described["intercept"]


@pytest.mark.parametrize("kind", ["svm-image", "svm-lesion-load", "logistic-confounds"])
def test_the_holdout_has_no_influence(store: Store, tmp_path: Path, kind: str) -> None:
    holdout = ROWS["holdout"]
    other = with_images(store, holdout, -5 * store.images[holdout])
    for name, value in (("lesion_volume_ml", 99.0), ("age", 7.0), ("brightness_robust", -3.0)):
        other = with_column(other, name, holdout.tolist(), value)
    flipped = 1 - store.table["label"].iloc[holdout]
    other = with_column(other, "label", holdout.tolist(), flipped.to_numpy())
    a, b = run(store, tmp_path / "a", kind), run(other, tmp_path / "b", kind)
    for key in ("chosen", "weights", "intercept"):
        assert a.described[key] == b.described[key]
    pd.testing.assert_frame_equal(a.history, b.history, check_exact=True)
    assert a.described.get("imputed") == b.described.get("imputed")
    fitted = a.predictions["role"] != "holdout"
    np.testing.assert_allclose(a.predictions["logit"][fitted], b.predictions["logit"][fitted], atol=1e-12)
    assert not np.allclose(a.predictions["logit"][~fitted], b.predictions["logit"][~fitted])
    if (a.folder / "weights.nii.gz").exists():
        assert sha256(a.folder / "weights.nii.gz") == sha256(b.folder / "weights.nii.gz")


def test_without_the_holdout_the_model_is_the_same(store: Store, tmp_path: Path) -> None:
    a = run(store, tmp_path / "a", "svm-image")
    b = run(store, tmp_path / "b", "svm-image", {"train": FIT[::-1], "holdout": np.arange(0)})
    pd.testing.assert_frame_equal(a.history, b.history)
    assert a.described["chosen"] == b.described["chosen"]
    merged = a.predictions.merge(b.predictions, on=["participant_id", "session_id"], suffixes=("", "_b"))
    assert len(merged) == len(FIT)
    np.testing.assert_allclose(merged["logit"], merged["logit_b"], atol=1e-10)


def test_no_participant_stands_on_both_sides_of_a_fold(store: Store) -> None:
    folds = folds_of(store)
    people, label = store.table["participant_id"].to_numpy(), store.table["label"].to_numpy()
    for training, test in folds:
        assert not set(people[training]) & set(people[test])
        assert abs(label[test].sum() - (1 - label[test]).sum()) <= 3
    assert sorted(np.concatenate([test for _, test in folds])) == FIT.tolist()
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(folds, folds_of(store, 1), strict=True))


def test_a_scan_without_a_mask_is_left_out_and_named(store: Store, tmp_path: Path) -> None:
    store = with_column(store, "lesion_volume_ml", [1, 59], np.nan)
    result = run(store, tmp_path / "out")
    reason = "no lesion mask, and no lesion volume stated"
    assert result.excluded == [
        {"participant_id": "sub-00", "session_id": "ses-2", "role": "train", "reason": reason},
        {"participant_id": "sub-59", "session_id": None, "role": "holdout", "reason": reason},
    ]
    assert len(result.predictions) == N - 2
    assert result.described["scans"] == {"train": 47, "validation": 10, "holdout": 13}
    kept = np.delete(np.arange(N), [1, 59])
    rows = {role: np.intersect1d(index, kept) for role, index in ROWS.items()}
    same = run(store, tmp_path / "same", rows=rows)
    pd.testing.assert_frame_equal(result.predictions, same.predictions)


@pytest.mark.slow
def test_no_signal_gives_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("svm", "logistic"):
        monkeypatch.setattr(f"pellucid.training.baselines.{module}.DECADES", (0.01, 1.0))
    for kind in ("svm-image", "svm-lesion-load", "logistic-confounds"):
        right = []
        for seed in range(5):
            store = make_store(tmp_path / "null", signal=0.0, seed=seed)
            generator = np.random.default_rng(seed + 100)
            for name in ("lesion_volume_ml", "age"):
                store = with_column(store, name, list(range(N)), generator.normal(50, 5, N))
            held = run(store, tmp_path / f"{kind}-{seed}", kind).predictions.query("role == 'holdout'")
            right += ((held["logit"] > 0) == (held["label"] == 1)).tolist()
        assert abs(np.mean(right) - 0.5) < 0.2, kind  # 3.3 standard errors


@pytest.mark.parametrize("kind", ["svm-image", "svm-lesion-load", "logistic-confounds"])
def test_signal_is_found(tmp_path: Path, kind: str) -> None:
    store = make_store(tmp_path / "ms", signal=1.5)
    for name in ("age", "lesion_volume_ml"):
        store = with_column(store, name, list(range(N)), 40 + 10 * store.table["label"] + np.arange(N) % 7)
    held = run(store, tmp_path / "out", kind).predictions.query("role == 'holdout'")
    assert ((held["logit"] > 0) == (held["label"] == 1)).mean() >= 0.7


@pytest.mark.parametrize("protocol", ["revised", "paper"])
@pytest.mark.parametrize("kind", ["svm-image", "svm-lesion-load"])
def test_same_seed_same_bytes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, protocol: str
) -> None:
    monkeypatch.setattr("pellucid.training.baselines.svm.DECADES", (0.1, 1.0))
    monkeypatch.setattr("pellucid.training.baselines.paper_svm.DECADES", (0.1, 1.0))
    a, b = (run(store, tmp_path / name, kind, protocol=protocol, seed=3) for name in "ab")
    files = sorted(path.name for path in a.folder.iterdir())
    assert files == sorted(path.name for path in b.folder.iterdir())
    for name in set(files) - {"model.json"}:
        assert sha256(a.folder / name) == sha256(b.folder / name)
    assert a.described | {"seconds": 0} == b.described | {"seconds": 0}
    c = run(store, tmp_path / "c", kind, protocol=protocol, seed=4)
    assert sha256(c.folder / "history.tsv") != sha256(a.folder / "history.tsv")


def test_a_finished_baseline_is_read_not_run(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(store, tmp_path / "out")

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(fit, "_fit", never)
    again = run(store, tmp_path / "out")
    pd.testing.assert_frame_equal(again.predictions, first.predictions)
    assert again.described == first.described
    changed = with_column(store, "lesion_volume_ml", [5], 3.0)
    rescaled = replace(store, scaling="max")
    for other, options in ((store, {"seed": 1}), (changed, {}), (rescaled, {}), (store, {"rows": {"train": FIT}})):
        with pytest.raises(InputError, match="other settings or scans"):
            run(other, tmp_path / "out", **options)


@pytest.mark.parametrize("at", ["write_tsv", "write_volume", "write_json", "_chosen"])
def test_a_killed_run_leaves_nothing_that_matters(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    whole = run(store, tmp_path / "whole", "svm-image", protocol="paper")
    out = tmp_path / "out"

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, at, stop)
        with pytest.raises(KeyboardInterrupt):
            run(store, out, "svm-image", protocol="paper")
    with pytest.raises(InputError, match="is not a finished baseline"):
        read_baseline(out)
    result = run(store, out, "svm-image", protocol="paper")
    for name in ("history.tsv", "predictions.tsv", "weights.nii.gz"):
        assert sha256(out / name) == sha256(whole.folder / name)
    assert result.described | {"seconds": 0} == whole.described | {"seconds": 0}


def test_another_kind_s_leftovers_go(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(store, out, "svm-image", protocol="paper")
    (out / "predictions.tsv").unlink()
    run(store, out)
    assert sorted(path.name for path in out.iterdir()) == ["history.tsv", "model.json", "predictions.tsv"]


def test_a_lost_weight_map_makes_it_unfinished(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path, "svm-image", protocol="paper")
    (tmp_path / "weights.nii.gz").unlink()
    with pytest.raises(InputError, match="is not a finished baseline"):
        read_baseline(tmp_path)
    run(store, tmp_path, "svm-image", protocol="paper")
    assert (tmp_path / "weights.nii.gz").exists()


def test_progress_reaches_its_end(store: Store, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    settings = BaselineSettings(kind="svm-image")
    run_baseline(store, ROWS, settings, tmp_path, progress=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert seen[-1] == (seen[-1][1], seen[-1][1], "fitted svm-image")


def slow_paper(
    x: np.ndarray, label: np.ndarray, seed: int, scaler: StandardScaler, kernels: list[str]
) -> tuple[list[float], float, np.ndarray]:
    """Return each outer fold's C, the vote, and the order of the rows; plain scikit-learn on the features."""
    order = np.random.default_rng(seed).permutation(len(label))
    x, label = x[order], label[order]
    winners = []
    for training, _ in KFold(7).split(x):
        grid = {"svc__C": DECADES, "svc__kernel": kernels}
        search = GridSearchCV(make_pipeline(scaler, SVC(gamma="auto")), grid, cv=5, scoring="accuracy")
        winners.append(search.fit(x[training], label[training]).best_params_)
    cs = [w["svc__C"] for w in winners]
    return cs, max(sorted(set(cs)), key=cs.count), order


def test_paper_protocol_lesion_load(store: Store, tmp_path: Path) -> None:
    without = [4, 30, 60]
    store = with_column(store, "has_lesion_mask", without, False)
    store = with_column(store, "lesion_volume_ml", without, np.nan)
    result = run(store, tmp_path / "out", protocol="paper", seed=2)
    assert result.excluded == []
    x = store.masks.reshape(N, -1).sum(axis=1).astype(np.float64)[:, None]
    for n in without:
        x[n] = np.random.default_rng([2, n]).random(GRID.shape).sum()
        assert x[n, 0] == pytest.approx(np.prod(GRID.shape) / 2, rel=0.1)
    label = store.table["label"].to_numpy()
    cs, vote, order = slow_paper(x[FIT], label[FIT], 2, StandardScaler(), ["linear", "rbf"])
    outer = result.described["outer_folds"]
    assert [fold["C"] for fold in outer] == cs
    chosen = result.described["chosen"]
    assert (chosen["kernel"], chosen["C"], chosen["gamma"], chosen["metric"]) == ("rbf", vote, 1.0, "accuracy")
    model = make_pipeline(StandardScaler(), SVC(C=vote, gamma="auto")).fit(x[FIT], label[FIT])
    np.testing.assert_allclose(result.predictions["logit"], model.decision_function(x), atol=2e-3)  # SVC's tolerance
    # The refit of an outer fold has no scaler.
    training, test = next(iter(KFold(7).split(order)))
    refit = SVC(C=outer[0]["C"], kernel=outer[0]["kernel"], gamma="auto")
    refit.fit(x[order[training]], label[order[training]])
    expected = balanced_accuracy_score(label[order[test]], refit.predict(x[order[test]]))
    assert outer[0]["balanced_accuracy"] == pytest.approx(expected)


def test_paper_protocol_image(store: Store, tmp_path: Path) -> None:
    result = run(store, tmp_path / "out", "svm-image", protocol="paper", seed=1)
    x, label = store.images.reshape(N, -1).astype(np.float64), store.table["label"].to_numpy()
    centre = StandardScaler(with_std=False)
    cs, vote, _ = slow_paper(x[FIT], label[FIT], 1, centre, ["linear"])
    assert [fold["C"] for fold in result.described["outer_folds"]] == cs
    assert result.described["chosen"]["C"] == vote
    assert result.history["kernel"].tolist() == ["linear"] * 5
    model = make_pipeline(centre, SVC(C=vote, kernel="linear")).fit(x[FIT], label[FIT])
    np.testing.assert_allclose(result.predictions["logit"], model.decision_function(x), atol=2e-3)


def test_what_cannot_be_fitted(store: Store, tmp_path: Path) -> None:
    patients = np.flatnonzero(store.table["label"].iloc[:58] == 1)
    controls = np.flatnonzero(store.table["label"].iloc[:58] == 0)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"train: a study with one class only \(MS\)"):
        run(store, out, rows={"train": patients})
    few = np.concatenate([patients, controls[controls > 1][:3]])
    with pytest.raises(InputError, match="a group has 3 participants, fewer than 5 folds"):
        run(store, out, rows={"train": few})
    with pytest.raises(InputError, match="in an outer fold a group"):
        run(store, out, rows={"train": few}, protocol="paper")
    with pytest.raises(
        InputError, match=r"one class only \(no participants\); 72 scans are excluded, the first: no lesion mask"
    ):
        run(with_column(store, "lesion_volume_ml", list(range(N)), np.nan), out)
    with pytest.raises(InputError, match="age: is missing for all scans of the fit"):
        run(with_column(store, "age", list(range(N)), np.nan), out, "logistic-confounds")
    with pytest.raises(InputError, match="all scans of the fit have the same features"):
        run(with_column(store, "lesion_volume_ml", list(range(N)), 0.1), out)
    with pytest.raises(InputError, match="the sex 'D' is unknown"):
        run(with_column(store, "sex", [4], "D"), out, "logistic-confounds")
    with pytest.raises(InputError, match="the table has no column 'age'"):
        run(replace(store, table=store.table.drop(columns="age")), out, "logistic-confounds")
    with pytest.raises(InputError, match="the role 'test' is unknown"):
        run(store, out, rows={"train": FIT, "test": ROWS["holdout"]})
    with pytest.raises(InputError, match="there are no scans with the role train"):
        run(store, out, rows={"holdout": ROWS["holdout"]})
    with pytest.raises(LeakageError, match="sub-00"):
        run(store, out, rows={"train": np.delete(FIT, 1), "holdout": np.array([1])})
    assert not out.exists()


def test_a_fold_in_which_hardly_anything_varies(store: Store, tmp_path: Path) -> None:
    volumes = np.where(store.table["label"] == 1, 1.0, 0.0) * (np.arange(N) < 6)
    result = run(with_column(store, "lesion_volume_ml", list(range(N)), volumes), tmp_path / "out")
    assert np.isfinite(result.predictions["logit"]).all()
    assert np.isfinite(read_tsv(result.folder / "history.tsv")["mean"]).all()
