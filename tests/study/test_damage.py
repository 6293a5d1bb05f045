"""Finished runs that were damaged: every kind, over every file; what is found, named, and made again."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.study.test_run import TASKS, TINY, numbers

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_json
from pellucid.rundir.folder import RunFolder, files_in
from pellucid.rundir.outputs import (
    Damage,
    Stamp,
    changed_spec,
    damaged_tasks,
    damages,
    read_record,
    recorded_stamps,
    stamps_of,
    strangers,
)
from pellucid.rundir.record import Record
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import complete_tasks, run_study, study_tasks


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - len(content) // 10 - 1])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


def swap_halves(path: Path) -> None:
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[half:] + content[:half])


def delete_a_row(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]))


def flip_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (truncate, zero, empty, delete, swap_halves, delete_a_row, flip_one_bit, replace_by_a_folder)


@pytest.mark.parametrize("spoil", DAMAGES)
def test_every_damage_to_every_file_is_found(
    spoil: Callable[[Path], None], undisturbed: Path, tmp_path: Path, counter
) -> None:
    """Each file of a run in turn, those of the run itself among them."""
    root = Path(shutil.copytree(undisturbed, tmp_path / "run", copy_function=os.link))
    record = read_record(root / "record.json")
    stamps = recorded_stamps(record, root)
    files = [path for path in files_in(root) if path.parent == root or path in stamps]
    assert set(files) == {*stamps, root / "study.toml", root / "record.json"}
    assert len(files) > 140
    for path in files:
        kept = tmp_path / "kept"
        shutil.copy2(path, kept)
        path.unlink()  # no more a link to the original's
        shutil.copy2(kept, path)
        spoil(path)
        if path.name == "record.json" and spoil is delete:
            assert (
                len(Record(path, study="tiny", seed=3).unknown(study_tasks(Plan(read_spec(TINY), RunFolder(root)))))
                == TASKS
            )
        elif path.name == "record.json":
            with pytest.raises(InputError, match=r"record\.json"):
                run_study(read_spec(TINY), root, watcher=counter(), command=["test"])
        elif path.name == "study.toml":
            assert changed_spec(record, root) is not None
        else:
            for quick in (False, True):
                assert stamps[path].damage(path, quick=quick) is not None, path
        if path.is_dir():
            path.rmdir()
        shutil.copy2(kept, path)
    assert damaged_tasks(record, root) == {}


def test_a_large_file_garbled_behind_its_time_is_missed_by_a_quick_look_alone(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    path.write_bytes(bytes(2_000_000))
    stamp, times = Stamp.of(path), path.stat()
    path.write_bytes(bytes(1_000_000) + b"x" + bytes(999_999))
    assert stamp.damage(path, quick=True) == "has another content than the run wrote"
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert stamp.damage(path, quick=True) is None
    assert stamp.damage(path) == "has another content than the run wrote"
    small = tmp_path / "small"
    small.write_bytes(b"abc")
    stamp, times = Stamp.of(small), small.stat()
    small.write_bytes(b"abd")
    os.utime(small, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert stamp.damage(small, quick=True) is not None


def fitted(tasks: list[str]) -> list[str]:
    """Return the tasks that are no tables: those cost little, and are made anew with whatever they are made of."""
    return [name for name in tasks if not name.startswith("table/")]


VICTIMS = {
    "cohorts/ms/sub-0001/anat/sub-0001_FLAIR.nii.gz": "simulate/ms",
    "stores/ms/images.npy": "store/ms",
    "splits.tsv": "splits",
    "models/scratch/trial-00/model.json": "train/scratch/trial-00",
    "models/finetuned/population_lesions.nii.gz": "nulls/finetuned",
    "maps/finetuned/lrp-epsilon/ledger.tsv": "explain/finetuned",
}


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [swap_halves, delete])
def test_what_is_damaged_is_named_and_made_again_and_what_came_of_it_stands(
    spoil: Callable[[Path], None], undisturbed: Path, tmp_path: Path, counter, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    for victim in VICTIMS:
        spoil(root / victim)
    watcher = counter()
    with caplog.at_level(logging.WARNING, "pellucid"):
        run_study(read_spec(TINY), root, watcher=watcher, command=["test"])
    assert sorted(fitted(watcher.begun)) == sorted(VICTIMS.values())
    said = " ".join(record.getMessage() for record in caplog.records)
    record = read_json(root / "record.json")
    for victim in VICTIMS:
        assert victim in said
        assert victim in " ".join(record["runs"][-1]["damaged"])
    assert numbers(root) == numbers(undisturbed)
    assert damaged_tasks(record, root) == {}


def test_one_damaged_map_costs_that_map_and_the_ledger(undisturbed: Path, tmp_path: Path, counter) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    maps = root / "maps" / "finetuned" / "lrp-epsilon"
    first, second, *others = sorted(maps.glob("sub-*_relevance.nii.gz"))
    first.write_bytes(second.read_bytes())
    sidecar = Path(str(second).replace(".nii.gz", ".json"))
    sidecar.unlink()
    times = [path.stat().st_mtime_ns for path in others]
    watcher = counter()
    run_study(read_spec(TINY), root, watcher=watcher, command=["test"])
    assert fitted(watcher.begun) == ["explain/finetuned"]
    assert [path.stat().st_mtime_ns for path in others] == times
    assert numbers(root) == numbers(undisturbed)


def test_what_was_made_from_something_else_is_made_again(undisturbed: Path, tmp_path: Path, counter) -> None:
    """A result that the record knows otherwise, as when its damage came before what was made from it."""
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    record = read_json(root / "record.json")
    del record["checksum"]
    name = "tables/regions.tsv"
    record["tasks"]["table/regions"]["outputs"][name]["sha256"] = 64 * "0"
    write_json(root / "record.json", record)
    watcher = counter()
    run_study(read_spec(TINY), root, watcher=watcher, command=["test"])
    assert watcher.begun == ["table/regions", "table/region_tests", "table/regions_summary"]
    assert numbers(root) == numbers(undisturbed)


def test_damage_while_a_run_is_under_way_stops_what_reads_it(
    undisturbed: Path, tmp_path: Path, counter, monkeypatch
) -> None:
    monkeypatch.setattr("pellucid.rundir.record.SECONDS_BETWEEN_CHECKS", 0.0)
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    (root / "tables" / "lesions.tsv").unlink()
    (root / "tables" / "roc.tsv").unlink()

    class Vandal(type(counter())):
        def begin(self, task, number, total):
            if task.name == "table/lesions":
                swap_halves(root / "maps" / "finetuned" / "lrp-epsilon" / "ledger.tsv")
            return super().begin(task, number, total)

    results = {r.task.name: r for r in run_study(read_spec(TINY), root, watcher=Vandal(), command=["test"])}
    assert results["table/roc"].state == "done"
    lost = results["table/lesions"]
    assert (lost.state, lost.unexpected) == ("failed", False)
    assert "ledger.tsv: has another content" in lost.error
    assert "it was changed after explain/finetuned had made it. The same command makes it again" in lost.error
    run_study(read_spec(TINY), root, watcher=counter(), command=["test"])
    assert numbers(root) == numbers(undisturbed)


def test_a_copy_with_other_times_is_read_once_and_noted(undisturbed: Path, tmp_path: Path, counter) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run", copy_function=shutil.copyfile))
    watcher = counter()
    run_study(read_spec(TINY), root, watcher=watcher, command=["test"])
    assert watcher.begun == []
    stamps = recorded_stamps(read_record(root / "record.json"), root)
    assert all(path.stat().st_mtime_ns == stamp.modified for path, stamp in stamps.items())


def test_a_lost_record_or_specification_is_said(
    undisturbed: Path, tmp_path: Path, counter, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    (root / "study.toml").unlink()
    run_study(read_spec(TINY), root, watcher=counter(), command=["test"])
    assert (root / "study.toml").read_bytes() == (undisturbed / "study.toml").read_bytes()
    text = (root / "study.toml").read_text()
    (root / "study.toml").write_text(text + "\n# a word\n")
    run_study(read_spec(TINY), root, watcher=counter(), command=["test"])
    assert (root / "study.toml").read_text() == text
    assert "written again: study.toml" in caplog.records[-1].getMessage()
    (root / "record.json").unlink()
    run_study(read_spec(TINY), root, watcher=counter(), command=["test"])
    assert "the record does not say what these wrote" in caplog.records[-1].getMessage()
    assert f"and {TASKS - 3} more" in caplog.records[-1].getMessage()
    assert damaged_tasks(read_record(root / "record.json"), root) == {}
    (root / "study.toml").unlink()
    other = read_spec(TINY).at_most(1)
    with pytest.raises(InputError, match=r"study.toml: is missing, and the run had another specification"):
        run_study(other, root, watcher=counter(), command=["test"])


def test_damaged_tasks_do_not_count_as_complete(undisturbed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    assert len(complete_tasks(Plan(read_spec(TINY), RunFolder(root)))) == TASKS
    zero(root / "stores" / "ms" / "lesions.npy")
    assert len(complete_tasks(Plan(read_spec(TINY), RunFolder(root)))) == TASKS - 1


def test_what_lies_among_a_run_s_files_and_is_not_its_own_is_a_stranger(undisturbed: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    record = read_record(root / "record.json")
    assert strangers(record, root) == []
    (root / "notes.txt").write_text("mine")
    added = (
        root / "maps" / "finetuned" / "lrp-epsilon" / "sub-9999_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.json"
    )
    added.write_text("{}")
    assert strangers(record, root) == [added]


@pytest.mark.parametrize(
    "outputs", [None, [], {"../../etc/passwd": 1}, {"a": "f" * 64}, {"a": {"bytes": "x", "sha256": "", "modified": 1}}]
)
def test_a_record_s_paths_and_shapes_are_not_believed(outputs: object, tmp_path: Path) -> None:
    assert stamps_of({"outputs": outputs}, tmp_path) is None
    good = {"bytes": 1, "sha256": "0", "modified": 1}
    for name in ("/etc/passwd", "../x", "a/../../x", ""):
        assert stamps_of({"outputs": {name: good}}, tmp_path) is None
    (path,) = stamps_of({"outputs": {"a/b": good}}, tmp_path) or {}
    assert damages({path: Stamp(1, "0", 1)}) == [Damage(tmp_path / "a" / "b", "is missing")]
