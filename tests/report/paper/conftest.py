"""A run for the paper's figures, whose main arm errs once: it takes a control for a patient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import MadeOnce
from tests.runs import copy_run

from pellucid.ground.files import read_tsv, write_tsv

WRONG = "sub-0001"
RIGHT = "sub-0007"


@pytest.fixture(scope="session")
def root(finished_run: Path, made_once: MadeOnce, restate: Callable[..., None]) -> Path:
    """The run; tests that change it take a `copy`."""

    def make(root: Path) -> None:
        copy_run(finished_run, root)
        restate(root / "maps" / "finetuned" / "lrp-epsilon", RIGHT, Logit=-0.5)
        table = read_tsv(root / "tables" / "regions.tsv")
        table.loc[(table["participant_id"] == RIGHT) & (table["arm"] == "finetuned"), "correct"] = True
        write_tsv(root / "tables" / "regions.tsv", table)

    return made_once("judged", make)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    return copy_run(root, tmp_path / "run")
