"""A whole study: the same numbers twice, also when the second run is killed on the way."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.network.files import load_model
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.run import run_study
from pellucid.study.steps import trials

TINY = Path(__file__).parent / "tiny.toml"


TASKS = 45


RUN = """
import sys
from pathlib import Path
from pellucid.spec.reading import read_spec
from pellucid.study.run import run_study


class Nobody:
    def begin(self, task, number, total):
        return lambda done, of, what: None
    def end(self, result, number, total):
        pass

results = run_study(read_spec(Path(sys.argv[1])), Path(sys.argv[2]), watcher=Nobody(), command=["test"])
sys.exit(any(result.state != "done" for result in results))
"""


def start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-W", "error", "-c", RUN, str(TINY), str(out)], stderr=subprocess.PIPE)


def numbers(root: Path) -> dict[str, str]:
    """Return the digest of every file of a run, clock times and hidden files left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_dir() or path.name.startswith(".") or name == "record.json":
            continue
        if name.endswith("history.tsv"):
            history = read_tsv(path)  # a baseline's says no seconds here, but in its description
            content = history.drop(columns="seconds", errors="ignore").to_csv().encode()
        elif name.endswith("model.json"):
            description = read_json(path)
            del description.get("trained", description)["seconds"]
            content = json.dumps(description).encode()
        else:
            content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def assert_no_half_files(root: Path) -> None:
    """Read every file that looks whole; a store that is being built is in a folder of its own."""
    readers: dict[str, Callable[[Path], Any]] = {
        ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
        ".tsv": lambda path: pd.read_csv(path, sep="\t"),
        ".gz": lambda path: gzip.decompress(path.read_bytes()),
        ".npy": lambda path: np.load(path, mmap_mode="r"),
        ".safetensors": lambda path: load_model(path.parent) if (path.parent / "model.json").exists() else None,
    }
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith(".") and "building" not in path.parts:
            assert path.stat().st_size > 0, path
            readers.get(path.suffix, Path.read_bytes)(path)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_numbers(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "killed"
    # Other moments in every run of the tests, printed so that a failure can be repeated.
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    moments = random.Random(seed)
    kills = 0
    while True:
        process = start(out)
        assert process.stderr is not None
        try:
            # From the import of the package to well into the training.
            process.wait(timeout=moments.uniform(2.0, 7.0) if kills < 3 else 120)
        except subprocess.TimeoutExpired:
            process.kill()
        trouble = process.communicate()[1].decode()
        if process.returncode == 0:
            break
        assert process.returncode == -9, trouble
        kills += 1
        assert_no_half_files(out)
    assert kills > 0
    assert numbers(out) == numbers(undisturbed)
    assert len(read_json(out / "record.json")["runs"]) >= 1
    assert not [path for path in out.rglob(".*") if path.name != ".lock"]


def test_a_finished_run_runs_nothing_again(undisturbed: Path, counter) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    watcher = counter()
    results = run_study(read_spec(TINY), undisturbed, watcher=watcher, command=["test"])
    assert watcher.begun == []
    assert len(results) == TASKS
    assert not any(result.fresh for result in results)
    after = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed <= {"record.json", ".lock"}


def test_a_lost_output_is_made_again_and_nothing_else(tmp_path: Path, undisturbed: Path, counter) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    (out / "tables" / "roc.tsv").unlink()
    watcher = counter()
    run_study(read_spec(TINY), out, watcher=watcher, command=["test"])
    assert watcher.begun == ["table/roc"]
    assert numbers(out) == numbers(undisturbed)


def test_a_stopped_run_says_so_in_its_record_and_goes_on(tmp_path: Path, undisturbed: Path, counter) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    (out / "maps" / "finetuned" / "lrp-epsilon" / "ledger.tsv").unlink()
    kept = sorted((out / "maps" / "finetuned" / "lrp-epsilon").glob("sub-*.nii.gz"))
    kept[0].unlink()
    with pytest.raises(KeyboardInterrupt):
        run_study(read_spec(TINY), out, watcher=counter(stop="explain/finetuned"), command=["test"])
    assert read_json(out / "record.json")["state"] == "interrupted"
    times = [path.stat().st_mtime_ns for path in kept[1:]]
    run_study(read_spec(TINY), out, watcher=counter(), command=["test"])
    assert read_json(out / "record.json")["state"] == "done"
    assert [path.stat().st_mtime_ns for path in kept[1:]] == times  # the maps that were there stay
    assert numbers(out) == numbers(undisturbed)


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_run_directory_that_goes_away_ends_the_run_and_leaves_no_debris(
    how: str, tmp_path: Path, undisturbed: Path, counter
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    (out / "tables" / "roc.tsv").unlink()

    class Mover(type(counter())):
        def begin(self, task: Any, number: int, total: int) -> Any:
            if how == "moved":
                out.rename(tmp_path / "elsewhere")
            else:
                shutil.rmtree(out)
            return super().begin(task, number, total)

    with pytest.raises(InputError, match="was moved or deleted while it was written to"):
        run_study(read_spec(TINY), out, watcher=Mover(), command=["test"])
    assert not out.exists()


def test_a_run_computes_on_as_many_threads_as_it_began_with(
    tmp_path: Path, undisturbed: Path, counter, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a later call would use: sums over other numbers of threads have other last bits."""
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    begun = read_json(out / "record.json")["threads"]
    assert begun == torch.get_num_threads()
    (out / "tables" / "roc.tsv").unlink()
    torch.set_num_threads(begun + 2)
    try:
        run_study(read_spec(TINY), out, watcher=counter(), command=["test"])
        assert torch.get_num_threads() == begun + 2
    finally:
        torch.set_num_threads(begun)
    record = read_json(out / "record.json")
    assert {entry["threads"] for entry in record["tasks"].values()} == {record["threads"]} == {begun}
    assert f"{begun} thread(s) a process, as when the run began, and not {begun + 2}" in caplog.text


def test_another_specification_is_refused_with_the_keys_that_differ(undisturbed: Path, counter) -> None:
    text = TINY.read_text(encoding="utf-8").replace("seed = 3", "seed = 4")
    before = numbers(undisturbed)
    with pytest.raises(InputError, match=r"another specification .*study.seed: 4 here, 3 there.*another --out"):
        run_study(parse_spec(text, file=TINY), undisturbed, watcher=counter(), command=["test"])
    assert numbers(undisturbed) == before


def test_comments_and_order_make_no_other_specification(undisturbed: Path, counter) -> None:
    text = "# another comment\n" + TINY.read_text(encoding="utf-8") + "\n[preparation]\nscaling = 'robust'\n"
    run_study(parse_spec(text, file=TINY), undisturbed, watcher=counter(), command=["test"])


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, counter) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"not a run directory and not empty \(thesis.tex\)"):
        run_study(read_spec(TINY), tmp_path, watcher=counter(), command=["test"])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_failing_task_is_recorded_and_independent_ones_go_on(
    tmp_path: Path, undisturbed: Path, counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed, out)
    before = read_tsv(out / "tables" / "table2.tsv")
    train = trials.run_trial

    def refuse(*arguments: Any, **options: Any) -> None:
        if options["initial"] is not None:
            raise InputError("model.safetensors", "is broken", "Mend it")
        train(*arguments, **options)

    monkeypatch.setattr(trials, "run_trial", refuse)
    shutil.rmtree(out / "models" / "finetuned")
    (out / "tables" / "brightness.tsv").unlink()
    results = {r.task.name: r for r in run_study(read_spec(TINY), out, watcher=counter(), command=["test"])}
    assert results["train/finetuned/trial-00"].state == "failed"
    assert "model.safetensors" in results["train/finetuned/trial-00"].error
    assert results["select/finetuned"].state == "blocked"
    assert results["table/brightness"].state == "done"
    assert results["table/table2"].state == "done"
    assert set(read_tsv(out / "tables" / "table2.tsv")["arm"]) == set(before["arm"]) - {"finetuned"}
    compared = read_tsv(out / "tables" / "comparisons.tsv")
    lone = compared[(compared["arm_one"] == "finetuned") | (compared["arm_two"] == "finetuned")]
    assert len(lone) == 2
    assert lone["problem"].str.startswith("finetuned: not all of it could be fitted").all()
    assert results["table/lesions"].state == "blocked"  # no other arm is explained
    record = read_json(out / "record.json")
    assert record["state"] == "incomplete"
    assert record["tasks"]["train/finetuned/trial-00"]["error"] == results["train/finetuned/trial-00"].error
