"""Several jobs of `pellucid preprocess` that share one derivative dataset, as BIDS Apps are run on a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.ground.files import is_leftover, read_json, read_tsv, write_json
from pellucid.ground.lock import locked
from pellucid.preprocess.group import describe_dataset

COMMAND = (sys.executable, "-P", "-c", "from pellucid.cli.main import run; run()")
PEOPLE = [f"sub-0{n}" for n in range(1, 5)]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four people whose scans cannot be read: what goes on around the work is that of any others."""
    root = tmp_path / "raw"
    for name in PEOPLE:
        scan = root / name / "anat" / f"{name}_T1w.nii.gz"
        scan.parent.mkdir(parents=True)
        scan.write_bytes(b"no image")
        scan.with_name(f"{name}_FLAIR.nii.gz").write_bytes(b"no image")
    (root / "participants.tsv").write_text("participant_id\tage\n" + "".join(f"{name}\t40\n" for name in PEOPLE))
    write_json(root / "dataset_description.json", {"Name": "raw", "BIDSVersion": "1.9.0"})
    return root


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["a job a participant", "the whole dataset twice"])
def test_jobs_that_share_a_dataset_leave_it_whole(whole: bool, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    choices = [(), ()] if whole else [("--participant-label", name) for name in PEOPLE]
    jobs = [
        subprocess.Popen(
            [*COMMAND, "preprocess", raw, out, "participant", "--n-procs", "1", *choice],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for choice in choices
    ]
    said = [job.communicate(timeout=300)[1] for job in jobs]
    for job, err in zip(jobs, said, strict=True):
        assert job.returncode == (1 if whole else 2), err  # as each would end alone
        assert "Errno" not in err
        assert "not empty" not in err
        assert "could not be drawn" not in err
        assert "Traceback" not in err
    assert list(read_tsv(out / "quality.tsv")["participant_id"]) == PEOPLE
    assert list(read_tsv(out / "participants.tsv")["participant_id"]) == PEOPLE
    page = (out / "group.html").read_text(encoding="utf-8")
    for name in PEOPLE:
        assert name in page
        assert (out / f"{name}.html").is_file()
        assert read_json(out / "logs" / f"{name}.json")["state"] == "failed"
    assert not [path for path in out.rglob(".*") if is_leftover(path)]


def test_a_dataset_that_is_being_described_is_no_stranger_s(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    (out / ".0123abcd-dataset_description.json").write_text("{")  # another job is writing it
    describe_dataset(out, raw, None)
    describe_dataset(out, raw, None)
    assert read_json(out / "dataset_description.json")["DatasetType"] == "derivative"


def test_who_waits_for_a_lock_gets_it_when_it_is_free(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pellucid.ground.lock import locked\n"
    code += "with locked(Path(sys.argv[1]), name='.a', wait=True): print('held', flush=True)"
    with locked(tmp_path, name=".a"), locked(tmp_path, name=".b"):
        other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=3)
    assert other.communicate(timeout=60)[0] == "held\n"
