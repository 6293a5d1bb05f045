"""A run that goes on with a larger specification: the numbers of one begun with it, or it is left as it was."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.study.test_run import TINY, numbers

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.spec.spec import Spec
from pellucid.study.extend import beyond_extension
from pellucid.study.plan import Plan
from pellucid.study.run import complete_tasks, run_study, study_tasks

ADDED = """
[training.untrained]
cohort = "ms"
channels = 2
fit = false

[baselines.load]
cohort = "ms"
kind = "svm-lesion-load"
folds = 2
"""


def tiny(*changes: tuple[str, str], added: str = "") -> Spec:
    text = TINY.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_spec(text + added, file=TINY)


TITLE = ('name = "tiny"', 'name = "tiny"\ntitle = "More"')
PRETRAINING = ("[training.pretraining]", "[training.pretraining]\ntrials = 2")
SCRATCH = ("[training.scratch]", "[training.scratch]\ntrials = 2")
EXPLAIN = (
    'arms = ["finetuned"]\ndeletion = ["finetuned"]',
    'arms = ["scratch"]\ndeletion = ["scratch"]\ntrials = "all"',
)
ANALYSIS = ("bootstrap = 100", "bootstrap = 150")


@pytest.mark.slow
def test_a_run_that_was_extended_ends_with_the_numbers_of_one_that_began_so(
    tmp_path: Path, undisturbed: Path, counter
) -> None:
    larger = tiny(TITLE, PRETRAINING, SCRATCH, EXPLAIN, ANALYSIS, added=ADDED)
    results = run_study(larger, tmp_path / "fresh", watcher=counter(), command=["test"])
    assert [result.error for result in results if result.state != "done"] == []
    out = tmp_path / "extended"
    shutil.copytree(undisturbed, out)
    (out / "figures").mkdir()
    (out / "figures" / "of-fewer.svg").write_text("<svg/>")
    stay = complete_tasks(Plan(larger, RunFolder(out)), extend=True)
    first, second = counter(stop="train/scratch/trial-01"), counter()
    with pytest.raises(KeyboardInterrupt):
        run_study(larger, out, watcher=first, command=["test"], extend=True)
    run_study(larger, out, watcher=second, command=["test"], extend=True)
    assert numbers(out) == numbers(tmp_path / "fresh")
    # The start of this arm is the best of two now, so all of it is trained again; of the other only what is new.
    begun = [*first.begun, *second.begun]
    assert {"train/finetuned/trial-00", "train/scratch/trial-01"} <= set(begun)
    assert "train/scratch/trial-00" not in begun
    assert {task.name for task in study_tasks(Plan(larger, RunFolder(out)))} - stay == set(begun)
    record = read_json(out / "record.json")
    changes = record["runs"][-2]["extended"]
    assert "training.scratch.trials: 2 here, 1 there" in changes
    assert "extended" not in record["runs"][-1]  # it was a larger one by then
    assert set(record["tasks"]) == set(read_json(tmp_path / "fresh" / "record.json")["tasks"])


def test_other_tables_cost_no_training(tmp_path: Path, undisturbed: Path, counter) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    watcher = counter()
    run_study(tiny(ANALYSIS), out, watcher=watcher, command=["test"], extend=True)
    assert watcher.begun
    assert {name.split("/")[0] for name in watcher.begun} == {"select", "explain", "deletion", "table"}
    assert read_spec(out / "study.toml") == tiny(ANALYSIS)


def test_an_extension_by_nothing_is_a_run(undisturbed: Path, counter) -> None:
    watcher = counter()
    run_study(tiny(), undisturbed, watcher=watcher, command=["test"], extend=True)
    assert watcher.begun == []


@pytest.mark.parametrize("change", [TITLE, PRETRAINING, SCRATCH, EXPLAIN, ANALYSIS])
def test_more_without_being_asked_is_refused_with_the_way_to_ask(change, undisturbed: Path, counter) -> None:
    before = numbers(undisturbed)
    with pytest.raises(InputError, match=r"another specification .*--extend"):
        run_study(tiny(change), undisturbed, watcher=counter(), command=["test"])
    assert numbers(undisturbed) == before


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("seed = 3", "seed = 4"), "study.seed"),
        (("patients = 5", "patients = 6"), "cohorts.ms.simulate.patients"),
        (("holdout = 4", "holdout = 2"), "splits.ms.holdout"),
        (("trials = 2", "trials = 1"), "training.finetuned.trials"),
        (('start_from = "pretraining"\n', ""), "training.finetuned.start_from"),
        (('[training.scratch]\ncohort = "ms"\nchannels = 2\nmax_epochs = 2', ""), "training.scratch.cohort"),
    ],
)
def test_what_models_were_fitted_with_cannot_change(
    change: tuple[str, str], key: str, undisturbed: Path, counter
) -> None:
    larger = tiny(change, SCRATCH) if "scratch" not in change[0] else tiny(change)
    before = numbers(undisturbed)
    with pytest.raises(InputError, match=re.escape(key)) as caught:
        run_study(larger, undisturbed, watcher=counter(), command=["test"], extend=True)
    assert "scratch.trials" not in str(caught.value) or "scratch" in key  # only what stands in the way
    assert "--extend" not in str(caught.value)
    assert numbers(undisturbed) == before


def test_fewer_trials_are_no_extension() -> None:
    assert beyond_extension(tiny(), tiny(SCRATCH)) == ["training.scratch.trials: 1 here, 2 there"]
    assert beyond_extension(tiny(SCRATCH), tiny()) == []
