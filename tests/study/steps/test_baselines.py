"""Baselines in a study: judged on the subjects of the arms, fold by fold, and compared with them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.classification import over_trials
from pellucid.engine.tasks import Result
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.spec.reading import parse_spec
from pellucid.study.run import run_study
from pellucid.study.steps.baselines import BASELINE_FILES

NAMES = ("load", "voxels", "confounds")
SPEC = """
[study]
name = "baselines"
seed = 5

[cohorts.ms]
bids = "ms"
modality = "FLAIR"
positive = "MS"
negative = "HC"

[splits.ms]
scheme = "cross-validation"
folds = 2
validation = 4

[training.scratch]
cohort = "ms"
channels = 2
max_epochs = 1

[baselines.load]
cohort = "ms"
kind = "svm-lesion-load"
folds = 2

[baselines.voxels]
cohort = "ms"
kind = "svm-image"
images = "lesion-filled"
components = [2, 4]
folds = 2

[baselines.confounds]
cohort = "ms"
kind = "logistic-confounds"
confounds = ["age", "sex", "brightness"]
folds = 2

[analysis]
bootstrap = 100
"""
WITHOUT = "sub-0002"  # of `one_without_mask`


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, one_without_mask: tuple[Path, str], counter
) -> tuple[Path, list[Result]]:
    out = tmp_path_factory.mktemp("baselines") / "run"
    spec = parse_spec(SPEC, file=one_without_mask[0].parent / "baselines.toml")
    return out, run_study(spec, out, watcher=counter(), command=["pellucid", "test"])


@pytest.fixture(scope="module")
def run(finished: tuple[Path, list[Result]]) -> Path:
    assert [result.error for result in finished[1] if result.state != "done"] == []
    return finished[0]


def test_each_fit_has_its_fold_and_its_files(run: Path) -> None:
    splits = read_tsv(run / "splits.tsv")
    for name in NAMES:
        for fold in (0, 1):
            folder = run / "baselines" / name / f"trial-{fold:02d}"
            assert all((folder / file).is_file() for file in BASELINE_FILES)
            predictions = read_tsv(folder / "predictions.tsv")
            held_out = splits["participant_id"][(splits["fold"] == fold) & (splits["role"] == "holdout")]
            found = set(predictions["participant_id"][predictions["role"] == "holdout"])
            assert found == set(held_out) - ({WITHOUT} if name != "confounds" else set())


def test_who_is_left_out_is_said_once(finished: tuple[Path, list[Result]]) -> None:
    problems = [problem for result in finished[1] for problem in result.problems if problem.left_out]
    assert [problem.subject for problem in problems] == [WITHOUT] * 2
    assert sorted(problem.message.startswith("load: ") for problem in problems) == [False, True]


def test_baselines_stand_in_the_table_beside_the_arms(run: Path) -> None:
    table = read_tsv(run / "tables" / "table2.tsv")
    assert table["arm"].drop_duplicates().tolist() == ["scratch", "bright-voxels", *NAMES]
    every = pd.concat(
        read_tsv(run / "baselines" / "load" / f"trial-{n:02d}" / "predictions.tsv").assign(fold=n) for n in (0, 1)
    )
    expected = over_trials(every[every["role"] == "holdout"].assign(trial=0))
    found = table[table["arm"] == "load"].set_index("metric")["mean"]
    assert found.to_dict() == pytest.approx(expected.set_index("metric")["mean"].to_dict())
    subjects = table.groupby("arm")["n_subjects"].first()
    assert subjects.to_dict() == {"scratch": 16, "bright-voxels": 16, "load": 15, "voxels": 15, "confounds": 16}


def test_every_two_are_compared_on_the_subjects_of_both(run: Path) -> None:
    table = read_tsv(run / "tables" / "comparisons.tsv")
    pairs = list(table[["arm_one", "arm_two"]].drop_duplicates().itertuples(index=False, name=None))
    assert pairs == list(combinations(["scratch", "bright-voxels", *NAMES], 2))
    first = table[(table["arm_one"] == "scratch") & (table["arm_two"] == "load")].iloc[0]
    assert first[["n_both", "n_only_one", "n_only_two"]].tolist() == [15, 1, 0]


def test_probabilities_are_judged_as_they_are_and_calibrated(run: Path) -> None:
    table = read_tsv(run / "tables" / "calibration.tsv")
    kinds = table[["arm", "kind"]].drop_duplicates().to_numpy().tolist()
    none = {"load", "voxels"}  # margins are no log-odds
    assert kinds == [
        *(["scratch", "sigmoid"], ["scratch", "calibrated"]),
        *([name, "none" if name in none else "sigmoid"] for name in ("bright-voxels", *NAMES)),
    ]
    assert table.groupby("arm")["brier"].count()[sorted(none)].tolist() == [0, 0]
    assert table[table["kind"] == "none"]["reason"].str.contains("is a margin, no log-odds").all()
    margins = read_tsv(run / "baselines" / "load" / "trial-00" / "predictions.tsv")
    assert margins["logit"].notna().all()
    assert margins["probability_not_calibrated"].isna().all()
    confounds = read_tsv(run / "baselines" / "confounds" / "trial-00" / "predictions.tsv")
    assert confounds["probability_not_calibrated"].to_numpy() == pytest.approx(
        1 / (1 + np.exp(-confounds["logit"].to_numpy()))
    )
    assert table.groupby(["arm", "kind"])["n"].sum().loc["scratch"].tolist() == [16, 16]
    assert table["brier"].dropna().between(0, 1).all()


def test_subgroups_add_up(run: Path) -> None:
    table = read_tsv(run / "tables" / "subgroups.tsv")
    sexes = table[table["factor"] == "sex"].groupby("arm")[["n_patients", "n_controls"]].sum().sum(axis=1)
    assert sexes.to_dict() == {"scratch": 16, "bright-voxels": 16, "load": 15, "voxels": 15, "confounds": 16}


def test_the_settings_are_kept(run: Path) -> None:
    described = read_json(run / "baselines" / "voxels" / "trial-00" / "model.json")
    assert described["settings"]["components"] == [2, 4]
    assert described["settings"]["kind"] == "svm-image"


def test_the_specification_reads_back_equal(tmp_path: Path) -> None:
    spec = parse_spec(SPEC, file=tmp_path / "baselines.toml")
    assert parse_spec(spec.to_toml(), file=tmp_path / "again.toml") == spec


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "svm-image"', 'kind = "svm-images"', ["baselines.voxels.kind", "svm-image"]),
        ("components = [2, 4]", "component = [2, 4]", ["baselines.voxels.component", "components"]),
        ("[baselines.load]", "[baselines.scratch]", ["baselines.scratch", "share a name"]),
        ('[baselines.load]\ncohort = "ms"', '[baselines.load]\ncohort = "sm"', ["baselines.load.cohort", "'sm'"]),
        ('kind = "svm-lesion-load"\n', "", ["baselines.load.kind", "missing"]),
        ("folds = 2\n\n[baselines.voxels]", "seed = 2\n\n[baselines.voxels]", ["baselines.load.seed", "unknown"]),
    ],
)
def test_a_wrong_baseline_is_refused(old: str, new: str, words: list[str]) -> None:
    assert old in SPEC
    with pytest.raises(InputError) as error:
        parse_spec(SPEC.replace(old, new, 1), file=Path("baselines.toml"))
    assert all(word in str(error.value) for word in words)
