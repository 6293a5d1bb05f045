"""Families of arms are those that differ in their number of subjects alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pellucid.ground.files import write_json, write_text, write_tsv
from pellucid.report.html.blocks import Picture, Table
from pellucid.report.sections.learning import learning, learning_curves
from pellucid.rundir.run import open_run

ARM = {"cohort": "ms", "fit": True, "scaling": "max", "trials": 4}
SPEC: dict[str, Any] = {
    "training": {
        "first": {"cohort": "other"},
        "all": ARM,
        "half": ARM | {"subjects": 5, "trials": 3},
        "robust": ARM | {"scaling": "robust"},
        "untrained": ARM | {"fit": False, "subjects": 5},
    }
}
SPLITS = pd.DataFrame(
    {
        "cohort": "ms",
        "fold": 0,
        "participant_id": [f"sub-{n}" for n in range(12)],
        "role": ["train"] * 9 + ["holdout"] * 3,
    }
)
SCORES = pd.DataFrame(
    [
        {"arm": arm, "metric": metric, "mean": mean, "sd": 0.01, "low": mean - 0.1, "high": mean + 0.1, "n_trials": 4}
        for arm, mean in (("all", 0.9), ("half", 0.7), ("robust", 0.8), ("untrained", 0.5))
        for metric in ("auc", "sensitivity")
    ]
)


def test_arms_that_differ_in_their_subjects_alone_are_one_line() -> None:
    curves = learning_curves(SPEC, SCORES, SPLITS)
    assert curves[["family", "arm", "subjects", "auc"]].to_numpy().tolist() == [
        ["all", "half", 5, 0.7],
        ["all", "all", 9, 0.9],
    ]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_json(tmp_path / "record.json", {})
    arms = "".join(
        f"[training.{name}]\n" + "".join(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
                                        for key, value in arm.items())
        for name, arm in SPEC["training"].items()
    )  # fmt: skip
    write_text(tmp_path / "study.toml", arms)
    write_tsv(tmp_path / "splits.tsv", SPLITS)
    write_tsv(tmp_path / "tables" / "table2.tsv", SCORES)
    return tmp_path


def test_the_section_draws_them_and_shows_the_numbers(run: Path, look: Any) -> None:
    section = learning(open_run(run), run / "figures")
    assert section is not None
    (picture,) = look.of(section, Picture)
    assert (run / "figures" / f"{picture.stem}.png").is_file()
    (table,) = look.of(section, Table)
    assert [row[:2] for row in table.rows] == [["all", "5"], ["all", "9"]]
    assert "0.700" in str(table.rows[0][2])


def test_a_study_without_such_arms_has_no_section(run: Path, empty_run: Path) -> None:
    write_tsv(run / "tables" / "table2.tsv", SCORES[SCORES["arm"] != "half"])
    assert learning(open_run(run), run / "figures") is None
    (run / "tables" / "table2.tsv").unlink()
    assert learning(open_run(run), run / "figures") is None
