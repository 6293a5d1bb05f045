"""Several inputs: one that fails costs itself, and an interruption keeps what is done."""

from __future__ import annotations

from pathlib import Path

from pellucid.ground.errors import InputError
from pellucid.maps.batch import each

PATHS = [Path(name) for name in "abcd"]


def test_what_fails_costs_itself_and_is_named() -> None:
    done: list[Path] = []
    ticks: list[tuple[int, int, str]] = []

    def work(path: Path) -> None:
        if path.name == "b":
            raise InputError(path, "is bad", "Mend it")
        if path.name == "c":
            raise ZeroDivisionError("by zero")
        done.append(path)

    ended = each(PATHS, work, lambda *tick: ticks.append(tick))
    assert done == [PATHS[0], PATHS[3]]
    assert ended.failed[PATHS[1]] == "b: is bad. Mend it."
    assert ended.failed[PATHS[2]].startswith("unexpected ZeroDivisionError")
    assert isinstance(ended.error, ZeroDivisionError)  # the last
    assert ended.stopped is None
    assert ticks == [(1, 4, "a"), (2, 4, "b"), (3, 4, "c"), (4, 4, "d")]


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    ended = each([tmp_path], lambda path: None)
    assert "holds no .nii or .nii.gz file" in ended.failed[tmp_path]


def test_an_interruption_ends_all_and_keeps_what_is_done() -> None:
    done: list[Path] = []

    def work(path: Path) -> None:
        if path.name == "a":
            raise OSError("no disk")
        if path.name == "c":
            raise KeyboardInterrupt
        done.append(path)

    ended = each(PATHS, work)
    assert done == [PATHS[1]]
    assert list(ended.failed) == [PATHS[0]]
    assert isinstance(ended.stopped, KeyboardInterrupt)
