"""The record of a run, against the run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pellucid.engine.tasks import Problem, Result, Task
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.record import Record
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks


def test_the_record_says_what_ran(undisturbed: Path) -> None:
    record = read_json(undisturbed / "record.json")
    assert (record["study"], record["seed"], record["state"]) == ("tiny", 3, "done")
    assert record["runs"][0]["command"] == ["pellucid", "test"]
    assert record["runs"][0]["environment"]["packages"]["torch"].startswith("2.")
    tasks = study_tasks(Plan(read_spec(undisturbed / "study.toml"), RunFolder(undisturbed)))
    assert set(record["tasks"]) == {task.name for task in tasks}
    for name, task in record["tasks"].items():
        assert task["state"] == "done", name
        assert task["seconds"] >= 0
        assert task["threads"] == record["runs"][0]["environment"]["threads"]
        assert task["outputs"]
        for path, stamp in task["outputs"].items():
            content = (undisturbed / path).read_bytes()
            assert stamp["sha256"] == hashlib.sha256(content).hexdigest()
            assert stamp["bytes"] == len(content)
    listed = {path for task in record["tasks"].values() for path in task["outputs"]}
    there = {path.relative_to(undisturbed).as_posix() for path in undisturbed.rglob("*") if path.is_file()}
    assert there - listed == {"record.json", "study.toml", ".lock"}
    images = read_tsv(undisturbed / "stores" / "ms" / "table.tsv")
    assert images["sha256"].str.len().eq(64).all()


def test_a_record_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    (tmp_path / "record.json").write_text('["something else"]')
    with pytest.raises(InputError, match="not a record of a run"):
        Record(tmp_path / "record.json", study="s", seed=0)


def test_failures_and_problems_are_kept_and_a_task_there_already_keeps_its_entry(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    (tmp_path / "a").touch()
    done = Task(kind="a", outputs=(tmp_path / "a",), needs=(), run=lambda _: None)
    failed = Task(kind="b", outputs=(tmp_path / "b",), needs=(), run=lambda _: None)
    record = Record(tmp_path / "record.json", study="s", seed=0)
    record.begin(["pellucid"])
    record.note(done)
    assert read_json(tmp_path / "record.json")["tasks"]["a"]["state"] == "running"
    problem = Problem("sub-01", "is broken")
    record.note(Result(task=done, state="done", fresh=True, seconds=1.25, problems=(problem,)))
    record.note(Result(task=failed, state="failed", fresh=True, error="no", trace="Traceback"))
    record.end("incomplete")
    first = read_json(tmp_path / "record.json")
    assert first["tasks"]["a"]["seconds"] == 1.25
    assert first["tasks"]["a"]["problems"] == [{"subject": "sub-01", "message": "is broken"}]
    assert first["tasks"]["b"]["error"] == "no"
    assert first["tasks"]["b"]["traceback"] == "Traceback"

    again = Record(tmp_path / "record.json", study="s", seed=0)
    again.begin(["pellucid"])
    again.note(Result(task=done, state="done", fresh=False, problems=(problem,)))
    second = read_json(tmp_path / "record.json")
    assert second["tasks"]["a"] == first["tasks"]["a"]
    assert len(second["runs"]) == 2


def test_a_task_whose_end_was_not_noted_is_noted_later_without_a_time(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    (tmp_path / "a").touch()
    task = Task(kind="a", outputs=(tmp_path / "a",), needs=(), run=lambda _: None)
    record = Record(tmp_path / "record.json", study="s", seed=0)
    record.note(task)
    record.note(Result(task=task, state="done", fresh=False))
    entry = read_json(tmp_path / "record.json")["tasks"]["a"]
    assert entry["state"] == "done"
    assert "seconds" not in entry
    assert list(entry["outputs"]) == ["a"]


def test_a_task_that_is_made_again_says_whether_it_left_something_else(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    one, timed = tmp_path / "one", tmp_path / "seconds"
    task = Task(kind="a", outputs=(one, timed), needs=(), run=lambda _: None, timed=("seconds",))
    record = Record(tmp_path / "record.json", study="s", seed=0)

    def make(content: str, seconds: str) -> bool:
        record.note(task)
        one.write_text(content)
        timed.write_text(seconds)
        return record.note(Result(task=task, state="done", fresh=True))

    assert make("x", "1")  # nothing was known of it
    assert not make("x", "2")
    record.note(task)
    record.note(Result(task=task, state="failed", fresh=True, error="no"))
    assert not make("x", "3")  # what failed in between changed nothing
    assert make("y", "3")
    again = Record(tmp_path / "record.json", study="s", seed=0)
    assert again.damaged([task]) == {}
    one.write_text("z")
    assert [bad.words(tmp_path) for bad in again.damaged([task])["a"]] == ["one has another content than the run wrote"]


def test_a_record_that_was_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    path = tmp_path / "record.json"
    Record(path, study="s", seed=0).begin(["pellucid"])
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(InputError, match="was changed after the run wrote it"):
        Record(path, study="s", seed=0)
