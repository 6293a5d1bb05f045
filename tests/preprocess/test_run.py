"""Many visits: a bad one stops no other, what is done is not done again, and everything is written down."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.preprocess.conftest import blob_head, grid_of

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_json
from pellucid.image.nifti import write_volume
from pellucid.preprocess import run as module
from pellucid.preprocess.chain import Chain
from pellucid.preprocess.inputs import Visit, find_visits
from pellucid.preprocess.outputs import Outputs
from pellucid.preprocess.records import read_records
from pellucid.preprocess.run import preprocess
from pellucid.preprocess.settings import Settings

Work = Callable[[Outputs, Settings], Chain]


@pytest.fixture
def visits(tmp_path: Path) -> list[Visit]:
    for label in ("01", "02", "03"):
        path = tmp_path / "raw" / f"sub-{label}" / "anat" / f"sub-{label}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(label.encode())
    return find_visits(tmp_path / "raw")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the work on a visit by next to nothing; return the list of whom it was done for."""
    names: list[str] = []

    def work(outputs: Outputs, settings: Settings, *, threads: int = 1) -> Chain:
        name = outputs.visit.name
        names.append(name)
        outputs.write_transform("t1w_to_mni", np.eye(4))
        chain = Chain(outputs, settings, threads)
        chain.measures |= {"brain_dice": 0.5 if name == "sub-02" else 0.97, "lesion_ml": float("nan")}
        return chain

    monkeypatch.setattr(module, "process_visit", work)
    return names


def test_records_hold_what_was_done_and_measured(visits: list[Visit], tmp_path: Path, done: list[str]) -> None:
    records = list(preprocess(visits, tmp_path / "out", Settings()))
    assert [(r["visit"], r["state"], r["verdict"], r["fresh"]) for r in records] == [
        ("sub-01", "done", "pass", True),
        ("sub-02", "done", "fail", True),
        ("sub-03", "done", "pass", True),
    ]
    assert records[0]["measures"] == {"brain_dice": 0.97, "lesion_ml": None}
    assert records[0]["files"] == {"t1w_to_mni": "sub-01/anat/sub-01_from-T1w_to-MNI152NLin6Asym_mode-image_xfm.txt"}
    assert records[0]["inputs"][0]["role"] == "t1w"
    assert len(records[0]["inputs"][0]["sha256"]) == 64
    assert "below 0.88" in records[1]["findings"][0]["text"]
    assert records[0]["versions"].keys() >= {"pellucid", "SimpleITK", "niimath", "deepbet"}
    assert [record["visit"] for record in read_records(tmp_path / "out")] == ["sub-01", "sub-02", "sub-03"]


def test_what_is_done_is_not_done_again_unless_something_changed(
    visits: list[Visit], tmp_path: Path, done: list[str]
) -> None:
    out = tmp_path / "out"
    list(preprocess(visits, out, Settings()))
    done.clear()
    assert [record["fresh"] for record in preprocess(visits, out, Settings())] == [False] * 3
    assert done == []
    assert visits[0].t1w is not None
    visits[0].t1w.write_bytes(b"another scan")
    list(preprocess(visits, out, Settings()))
    assert done == ["sub-01"]
    done.clear()
    list(preprocess(visits, out, Settings(seed=1)))
    assert done == ["sub-01", "sub-02", "sub-03"]
    done.clear()
    (out / read_json(out / "logs" / "sub-02.json")["files"]["t1w_to_mni"]).unlink()
    list(preprocess(visits, out, Settings(seed=1)))
    assert done == ["sub-02"]


def test_a_visit_that_was_killed_is_done_from_its_start(visits: list[Visit], tmp_path: Path, done: list[str]) -> None:
    out = tmp_path / "out"
    list(preprocess(visits, out, Settings()))
    record = read_json(out / "logs" / "sub-02.json") | {"state": "running"}
    write_json(out / "logs" / "sub-02.json", record)
    left = out / "sub-02" / "anat" / "sub-02_space-MNI152NLin6Asym_label-WM_probseg.nii.gz"
    left.write_bytes(b"half")
    # A writer that is killed leaves its temporary file; those of visit 3, which another process may be at, are its own.
    of_2 = [
        left.with_name(f".0123abcd-{left.name}"),
        out / "logs" / ".0123abcd-sub-02.json",
        out / ".0123abcd-sub-02.html",
    ]
    of_3 = [out / "sub-03" / "anat" / ".0123abcd-sub-03_T1w.nii.gz", out / "logs" / ".0123abcd-sub-03.json"]
    for path in (*of_2, *of_3):
        path.write_bytes(b"half")
    done.clear()
    list(preprocess(visits, out, Settings()))
    assert done == ["sub-02"]
    assert not left.exists()
    hidden = {path for path in out.rglob(".*") if path.is_file() and path.suffix != ".lock"}
    assert hidden == set(of_3)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("x.nii", "is broken", "Mend it"), "x.nii: is broken. Mend it."),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("oh"), "oh. Please report it"),
        (MemoryError(), "memory is too small (MemoryError)"),
    ],
)
def test_one_bad_visit_never_stops_the_others(
    visits: list[Visit],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: list[str],
    error: Exception,
    words: str,
) -> None:
    good = module.process_visit

    def work(outputs: Outputs, settings: Settings, *, threads: int = 1) -> Chain:
        if outputs.visit.name == "sub-02":
            raise error
        return good(outputs, settings, threads=threads)

    monkeypatch.setattr(module, "process_visit", work)
    records = list(preprocess(visits, tmp_path / "out", Settings()))
    assert [record["state"] for record in records] == ["done", "failed", "done"]
    assert words in records[1]["error"]
    assert read_json(tmp_path / "out" / "logs" / "sub-02.json")["error"] == records[1]["error"]
    assert records[1]["verdict"] is None
    assert records[1]["measures"] == {}
    monkeypatch.setattr(module, "process_visit", good)
    done.clear()
    assert list(preprocess(visits, tmp_path / "out", Settings()))[2]["state"] == "done"  # tried again
    assert done == ["sub-02"]


def test_cores_are_shared_out(visits: list[Visit], tmp_path: Path, done: list[str]) -> None:
    before = torch.get_num_threads()
    records = list(preprocess(visits[:1], tmp_path / "out", Settings(), workers=4, cores=4))
    assert records[0]["threads"] == 4
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_visits_fail_side_by_side_and_a_full_disk_is_said(tmp_path: Path) -> None:
    """Real processes: unreadable scans in two workers; and a limit on the size of files in place of a full disk."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from pellucid.preprocess.inputs import find_visits\n"
        "from pellucid.preprocess.run import preprocess\n"
        "from pellucid.preprocess.settings import Settings\n"
        "if __name__ == '__main__':\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "    settings = Settings(skull_strip='skip', skip=('bias', 'registration', 'tissue'))\n"
        "    for r in preprocess(find_visits(Path(sys.argv[1])), Path(sys.argv[2]), settings, workers=2):\n"
        "        print(json.dumps([r['visit'], r['state'], r['error']]), flush=True)\n"
    )
    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    write_volume(tmp_path / "raw" / "sub-01" / "anat" / "sub-01_T1w.nii.gz", blob_head(grid)[0], grid, space="MNI")
    for label in ("98", "99"):
        (tmp_path / "raw" / f"sub-{label}" / "anat").mkdir(parents=True)
        (tmp_path / "raw" / f"sub-{label}" / "anat" / f"sub-{label}_T1w.nii.gz").write_bytes(b"no scan")

    command = [sys.executable, str(script), str(tmp_path / "raw"), str(tmp_path / "full")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {line[0]: line[1:] for line in map(json.loads, finished.stdout.splitlines())}
    for name in ("sub-98", "sub-99"):
        assert found[name][0] == "failed"
        assert "is not NIfTI" in found[name][1]
    assert found["sub-01"][0] == "failed"
    assert "File too large" in found["sub-01"][1]
    # Nothing half-written lies about.
    assert not [path for path in (tmp_path / "full").rglob(".*") if path.is_file() and path.suffix != ".lock"]


KILLER = """
import json, os, signal, sys
from pathlib import Path

import numpy as np

from pellucid.preprocess import run
from pellucid.preprocess.chain import Chain
from pellucid.preprocess.inputs import find_visits
from pellucid.preprocess.settings import Settings

TIMES = {"sub-02": 1, "sub-03": 9}


def work(outputs, settings, *, threads=1):
    # Spawned processes read this file too, so that theirs is replaced as well.
    name = outputs.visit.name
    deaths = Path(f"{sys.argv[2]}-{name}.deaths")
    if (n := int(deaths.read_text()) if deaths.exists() else 0) < TIMES.get(name, 0):
        deaths.write_text(str(n + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    outputs.write_transform("t1w_to_mni", np.eye(4))
    return Chain(outputs, settings, threads)


run.process_visit = work
if __name__ == "__main__":
    for record in run.preprocess(find_visits(Path(sys.argv[1])), Path(sys.argv[2]), Settings(), workers=2):
        print(json.dumps([record["visit"], record["state"], record["error"]]), flush=True)
"""


@pytest.mark.slow
def test_workers_that_are_killed_take_no_other_visit_along(visits: list[Visit], tmp_path: Path) -> None:
    """As the system does it that runs out of memory: SIGKILL, of one visit's worker once, of another's every time."""
    script = tmp_path / "killer.py"
    script.write_text(KILLER)
    command = [sys.executable, str(script), str(tmp_path / "raw"), str(tmp_path / "out")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = {line[0]: line[1:] for line in map(json.loads, finished.stdout.splitlines())}
    states = {"sub-01": "done", "sub-02": "done", "sub-03": "failed"}
    assert {name: found[0] for name, found in lines.items()} == states
    for name, state in states.items():
        assert read_json(tmp_path / "out" / "logs" / f"{name}.json")["state"] == state
    assert "stopped from outside, perhaps because memory is too small" in lines["sub-03"][1]
    assert "--n-procs 1" in lines["sub-03"][1]
    # Twice, or once if another visit's death ended it with the pool that both were in.
    assert (tmp_path / "out-sub-03.deaths").read_text() in {"1", "2"}
