"""`pellucid study verify`, and what status and check say of a run that was damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pellucid.engine.tasks import Result
from pellucid.ground.files import read_json, write_json
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.record import Record
from pellucid.spec.reading import parse_spec
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks

SPEC = """
[study]
name = "small"

[cohorts.ms.simulate]
kind = "ms"
patients = 4
controls = 4
voxel_size = 4.0

[splits.ms]
holdout = 2
validation = 2

[training.a]
cohort = "ms"
channels = 2
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory of made-up files, with the record that their tasks would have written."""
    root = tmp_path / "run"
    spec = parse_spec(SPEC, file=tmp_path / "small.toml")
    folder = RunFolder(root)
    root.mkdir()
    folder.spec.write_text(spec.to_toml())
    record = Record(folder.record, study="small", seed=0)
    record.begin(["pellucid"])
    for task in study_tasks(Plan(spec, folder)):
        for path in task.outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{path.name} of {task.name}\n")
        if task.name == "store/ms":
            (folder.store("ms") / "images.npy").write_bytes(bytes(2_000_000))
        record.note(Result(task=task, state="done", fresh=True))
    record.end("done")
    return root


def test_a_whole_run_is_0(run: Path, pellucid) -> None:
    shown = pellucid("study", "verify", run)
    assert shown.code == 0
    files = sum(len(task["outputs"]) for task in read_json(run / "record.json")["tasks"].values())
    assert shown.out == f"{run}: {files} files unchanged\n"


def test_what_is_damaged_missing_strange_or_unknown_is_1(run: Path, pellucid) -> None:
    images = run / "stores" / "ms" / "images.npy"
    times = images.stat()
    images.write_bytes(bytes(1_999_999) + b"x")
    os.utime(images, ns=(times.st_atime_ns, times.st_mtime_ns))
    (run / "tables" / "roc.tsv").unlink()
    (run / "maps").mkdir()
    (run / "maps" / "odd.nii").write_text("odd")
    (run / "study.toml").write_text("")
    record = read_json(run / "record.json")
    del record["checksum"]
    record["tasks"]["splits"]["outputs"] = {"splits.tsv": 64 * "0"}
    write_json(run / "record.json", record)
    shown = pellucid("study", "verify", run)
    assert shown.code == 1
    assert shown.out.splitlines() == [
        "damaged: study.toml has another content than the run wrote",
        "damaged: stores/ms/images.npy has another content than the run wrote",
        "missing: tables/roc.tsv is missing",
        "stranger: maps/odd.nii was not written by a task of this run",
        "unknown: the record does not say what splits wrote",
    ]
    assert "files 3 damaged or missing; 1 not written by a task; 1 task without recorded outputs" in shown.err
    assert "makes the damaged files, and those made from them, again: store/ms, table/roc" in shown.err


def test_status_and_check_say_what_is_damaged(run: Path, pellucid) -> None:
    (run / "tables" / "table2.tsv").write_text("garbled")
    status = pellucid("study", "status", run)
    assert status.code == 0
    assert "damaged   table/table2\n          tables/table2.tsv has 7 bytes, not 27\n" in status.out
    tasks = len(read_json(run / "record.json")["tasks"])
    assert f"{tasks - 1} of {tasks} tasks are complete" in status.out
    (run / "study.toml").write_text(SPEC)
    for words in (("study", "status", run), ("study", "check", run), ("study", "run", run)):
        shown = pellucid(*words)
        assert shown.code == 2
        assert "study.toml: it has another content than the run wrote. Restore it, or give your own" in shown.err


def test_what_is_no_run_or_no_record_is_2(run: Path, tmp_path: Path, pellucid) -> None:
    assert "has no record.json" in pellucid("study", "verify", tmp_path).err
    path = run / "record.json"
    for content in ("", "[]", '{"tasks": []}', '{"tasks": {"a": 3}}', path.read_text().replace("done", "dome")):
        path.write_text(content)
        shown = pellucid("study", "verify", run)
        assert shown.code == 2
        assert "record.json: the file" in shown.err
