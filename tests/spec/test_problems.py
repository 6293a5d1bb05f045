from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pellucid.ground.errors import CombinedInputError, InputError
from pellucid.spec.problems import line_of
from pellucid.spec.reading import parse_spec, read_spec

TINY = Path(__file__).parents[1] / "study" / "tiny.toml"

TEXT = """# a comment with = and [brackets]
name = 1

[cohorts.ms.simulate]
kind = "ms"
patients = 5

[training . "scratch"]
"batch_size" = 4
inner.depth = 3
list = [
  1,
]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("name", 2),
        ("cohorts.ms.simulate", 4),
        ("cohorts.ms.simulate.patients", 6),
        ("cohorts.ms.simulate.controls", 4),  # missing: its table
        ("cohorts.ms", 4),  # has no line of its own
        ("training.scratch.batch_size", 9),
        ("training.scratch.inner.depth", 10),
        ("training.scratch.list", 11),
        ("splits.ms", None),
    ],
)
def test_the_line_of_a_key(key: str, line: int | None) -> None:
    assert line_of(TEXT, key) == line


def test_all_that_is_wrong_is_told_at_once_with_its_line() -> None:
    text = TINY.read_text()
    wrong = {
        "seed = 3": 'seed = "3"',
        "voxel_size = 4.0": "voxels = 4.0",
        "holdout = 4": "holdout = -4",
        "trials = 2": 'trials = "2"\nepoch = 4',
        "bootstrap = 100": "bootstrap = 1",
    }
    for old, new in wrong.items():
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(CombinedInputError) as caught:
        parse_spec(text, file=Path("/folder/study.toml"))
    lines, message = text.splitlines(), str(caught.value)
    assert message.startswith("/folder/study.toml: 6 things are wrong")
    for key, written in {
        "study.seed": 'seed = "3"',
        "cohorts.ms.simulate.voxels": "voxels = 4.0",
        "splits.ms.holdout": "holdout = -4",
        "training.finetuned.trials": 'trials = "2"',
        "training.finetuned.epoch": "epoch = 4",
        "analysis.bootstrap": "bootstrap = 1",
    }.items():
        number = lines.index(written) + 1
        assert f"`{key}`" in message
        (said,) = [error for error in caught.value.errors if f"`{key}`" in error.what]
        assert said.what.startswith(f"line {number}: ")
    assert len(pickle.loads(pickle.dumps(caught.value)).errors) == 6


def test_names_that_nothing_has_are_told_at_once() -> None:
    text = TINY.read_text().replace('cohort = "ms"', 'cohort = "sm"')
    with pytest.raises(CombinedInputError) as caught:
        parse_spec(text, file=Path("study.toml"))
    assert [error.what.split("`")[1] for error in caught.value.errors] == [
        "training.finetuned.cohort",
        "training.scratch.cohort",
    ]


def test_one_thing_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(TINY.read_text().replace("seed = 3", "seed = -3"))
    with pytest.raises(InputError, match=r"study.toml: line 4: `study.seed` is -3"):
        read_spec(path)
