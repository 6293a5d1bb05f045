"""Arms are set beside each other that learn from one cohort, and those that differ in `subjects` alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.analysis.comparison import paired_trials
from pellucid.ground.files import write_tsv
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.all_tables import table_tasks
from pellucid.study.steps.score_summaries import by_trial, learning


def _spec(arms: str, scheme: str = "holdout = 0.3") -> Spec:
    cohorts = "".join(
        f'[cohorts.{name}.simulate]\nkind = "ms"\npatients = 9\ncontrols = 9\n[splits.{name}]\n{scheme}\n'
        for name in ("ms", "other")
    )
    return parse_spec(f'[study]\nname = "x"\n{cohorts}{arms}', file=Path("study.toml"))


def _arm(name: str, *lines: str, cohort: str = "ms") -> str:
    return "\n".join([f"[training.{name}]", f'cohort = "{cohort}"', *lines, ""])


def _names(spec: Spec) -> list[str]:
    names = ("calibration_summary", "trials_paired", "learning_summary")
    return [task.about for task in table_tasks(Plan(spec, RunFolder(Path()))) if task.about in names]


def _silent(done: int, total: int, what: str) -> None:
    pass


def test_networks_of_one_cohort_are_compared_trial_by_trial(tmp_path: Path) -> None:
    spec = _spec(_arm("a") + _arm("b") + _arm("c", cohort="other") + _arm("d", "fit = false"))
    folder = RunFolder(tmp_path)
    aucs = {"a": (0.6, 0.9, 0.7), "b": (0.5, 0.6), "c": (0.5, 0.7), "d": (0.5, 0.4), "svm": (0.9, 0.8)}
    rows = [{"arm": arm, "trial": n, "auc": auc} for arm, some in aucs.items() for n, auc in enumerate(some)]
    write_tsv(folder.table("trials"), pd.DataFrame(rows))
    found = by_trial(Plan(spec, folder), _silent)
    assert found[["arm_one", "arm_two", "n_trials"]].to_numpy().tolist() == [["a", "b", 2]]
    both = paired_trials(pd.DataFrame([row for row in rows if row["arm"] in "ab"]))
    pd.testing.assert_frame_equal(found, both.assign(q=both["p"]))


def test_tables_are_those_for_which_there_are_arms() -> None:
    two = _arm("a") + _arm("b", "scaling = 'max'")
    assert _names(_spec(_arm("a"))) == ["calibration_summary"]
    assert _names(_spec(two)) == ["calibration_summary", "trials_paired"]
    assert _names(_spec(two, "scheme = 'cross-validation'")) == ["calibration_summary"]
    assert _names(_spec(_arm("a") + _arm("b", "subjects = 4"))) == [
        f"{name}" for name in ("calibration_summary", "trials_paired", "learning_summary")
    ]
    assert _names(_spec(two, "holdout = 0")) == []


@pytest.mark.parametrize(
    ("line", "family"),
    [("subjects = 5\ntrials = 3", ["half", "all"]), ("subjects = 5\nscaling = 'max'", []), ("subjects = 9", [])],
)
def test_arms_that_differ_in_their_participants_alone_are_one_line(
    tmp_path: Path, line: str, family: list[str]
) -> None:
    spec = _spec(_arm("first", cohort="other") + _arm("all") + _arm("half", line) + _arm("no", "fit = false"))
    folder = RunFolder(tmp_path)
    splits = {"cohort": "ms", "fold": 0, "role": ["train"] * 9 + ["holdout"] * 3}
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(12)]}).assign(**splits)
    write_tsv(folder.splits, pd.concat([people, people.assign(cohort="other")]))
    scores = [
        {"arm": arm, "metric": "auc", "mean": 0.9, "sd": 0.1, "low": 0.8, "high": 1.0, "n_trials": 1}
        for arm in ("all", "half", "no")
    ]
    write_tsv(folder.table("table2"), pd.DataFrame(scores))
    found = learning(Plan(spec, folder), _silent)
    assert found["arm"].tolist() == family
    assert found["subjects"].tolist() == [5, 9][: len(family)]
