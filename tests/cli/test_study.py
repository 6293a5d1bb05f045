"""`pellucid study` on data of the user's own."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid.engine.tasks import Task
from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.trust.lesions import columns
from pellucid.trust.nulls import NULLS

SPEC = """
[study]
name = "own"
seed = 1

[cohorts.ms]
bids = "{bids}"
modality = "FLAIR"
positive = "MS"
negative = "HC"

[splits.ms]
holdout = 4
validation = 2

[training.scratch]
cohort = "ms"
channels = 2
max_epochs = 1

[explain]
arms = ["scratch"]

[analysis]
bootstrap = 100
"""


@pytest.fixture
def bids(cohort: Path, tmp_path: Path) -> Path:
    """A dataset of the user's own that a test may spoil."""
    return Path(shutil.copytree(cohort, tmp_path / "bids"))


@pytest.fixture
def spec(bids: Path, tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(SPEC.format(bids=bids.name))
    return path


@pytest.mark.slow
def test_a_study_of_own_data_leaves_a_broken_scan_out_and_says_so(
    spec: Path, bids: Path, tmp_path: Path, pellucid
) -> None:
    victim = next(bids.glob("sub-*/anat/*_FLAIR.nii.gz"))
    victim.write_bytes(victim.read_bytes()[:1000])
    out = tmp_path / "run"
    shown = pellucid("study", "run", spec, "--out", out, "--workers", 1)
    assert shown.code == 1
    who = victim.name.partition("_")[0]
    assert any(line.startswith(f"excluded: {who}: ") and "truncated" in line for line in shown.err.splitlines())
    problems = read_json(out / "record.json")["tasks"]["store/ms"]["problems"]
    assert [problem["subject"] for problem in problems] == [who]
    assert len(read_tsv(out / "splits.tsv")) == 9
    page = (out / "report.html").read_text(encoding="utf-8")
    assert who in page
    assert "truncated" in page

    status = pellucid("study", "status", out)
    assert status.code == 0
    assert status.out == pellucid("study", "status", spec, "--out", out).out
    assert "29 of 29 tasks are complete" in status.out
    assert f"excluded: {who}" in status.out

    judged = pellucid(
        "judge", out / "maps" / "scratch" / "lrp-epsilon", "--lesions", bids / "derivatives" / "lesions",
        "--out", tmp_path / "judged",
    )  # fmt: skip
    assert judged.code == 0
    mine = read_tsv(tmp_path / "judged" / "lesions.tsv").set_index(["participant_id", "map"])
    theirs = read_tsv(out / "tables" / "lesions.tsv").set_index(["participant_id", "map"])
    assert set(mine["brain_from"]) == {"image"}
    assert set(theirs.index.unique("map")) == {"lrp-epsilon", "|lrp-epsilon|", *NULLS}
    measures = [column for column in columns() if column != "reason"]
    np.testing.assert_allclose(mine[measures], theirs.loc[mine.index, measures], rtol=1e-9)  # the random map too
    assert mine["reason"].fillna("").equals(theirs.loc[mine.index, "reason"].fillna(""))
    assert mine["networks"].equals(theirs.loc[mine.index, "networks"])
    summary = read_tsv(tmp_path / "judged" / "lesions_summary.tsv")
    assert {"average_precision", "precision_at_k", "auroc", "lift", "lift_ceiling"} <= set(summary.columns)

    spec.write_text(spec.read_text(encoding="utf-8").replace("max_epochs = 1", "max_epochs = 1\ntrials = 2"))
    refused = pellucid("study", "check", spec, "--out", out)
    assert refused.code == 2
    assert "training.scratch.trials: 2 here, 1 there" in refused.err
    assert "--extend" in refused.err
    more = pellucid("study", "check", spec, "--out", out, "--extend")
    assert more.code == 0
    assert "30 tasks, 5 of them complete" in more.out  # store, splits, the first trial, its nulls, the bright voxels
    assert re.search(r"^train +1 task ", more.out, flags=re.MULTILINE)


def test_a_check_says_what_would_run(spec: Path, pellucid) -> None:
    shown = pellucid("study", "check", spec)
    assert shown.code == 0
    assert "cohort ms: FLAIR, MS against HC, 10 scans" in shown.out
    assert "arm scratch: 1 trial on ms, from random weights\n" in shown.out
    assert "29 tasks, 0 of them complete" in shown.out
    assert not (spec.parent / "runs").exists()


def test_a_check_names_everybody_who_is_left_out_and_what_was_mended(spec: Path, bids: Path, pellucid) -> None:
    """Groups, ages and ids as people type them; another group; a folder with a hyphen in its label."""
    path = bids / "participants.tsv"
    header, *rows = path.read_text().splitlines()
    cells = [row.split("\t") for row in rows]
    group, age = (header.split("\t").index(name) for name in ("group", "age"))
    first, second, third, fourth = (row[0] for row in cells[:4])
    cells[0][group], cells[1][group], cells[2][group] = "ms", f"{cells[1][group]} ", "CIS"
    cells[3][age] = "inf"
    lines = ["\t".join(row) for row in cells]
    path.write_text("\n".join([header, *lines, f"sub-99\tHC{lines[0].count(chr(9)) * chr(9)}"]))
    (bids / "sub-HC-1" / "anat").mkdir(parents=True)
    spec.write_text(spec.read_text().replace("holdout = 4", "holdout = 2"))
    shown = pellucid("study", "check", spec)
    assert shown.code == 1, shown.err
    lines = shown.out.splitlines()
    for who, words in (
        (first, "group 'ms' is neither 'MS' nor 'HC' (1 participant). Did you mean 'MS'?"),
        ("sub-99", "lists sub-99, and there is no folder"),
        ("sub-HC-1", "Labels in BIDS are letters and digits. Rename the folder"),
    ):
        assert any(line.startswith(f"  excluded: {who}: ") and words in line for line in lines), who
    for who, words in (
        (second, "were trimmed"),
        ("group 'CIS'", f"is not used: group 'CIS' is neither 'MS' nor 'HC' (1 participant). They are {third}"),
        (fourth, "age 'inf' is not a number and counts as missing"),
    ):
        assert any(line.startswith(f"  remark: {who}: ") and words in line for line in lines), who
    assert "cohort ms: FLAIR, MS against HC, 8 scans" in shown.out
    assert shown.out.endswith("3 scans or participants are excluded (named above)\n")


def test_a_check_says_in_how_many_folds_and_what_is_not_trained(spec: Path, pellucid) -> None:
    text = spec.read_text().replace("holdout = 4", 'scheme = "cross-validation"\nfolds = 2\nrepeats = 2')
    spec.write_text(text + '\n[training.before]\ncohort = "ms"\nchannels = 2\nstart_from = "scratch"\nfit = false\n')
    shown = pellucid("study", "check", spec)
    assert shown.code == 0
    assert "arm scratch: 1 trial in each of 4 folds on ms, from random weights\n" in shown.out
    assert "arm before: 1 trial in each of 4 folds on ms, from scratch, not trained\n" in shown.out


def test_a_status_of_nothing_is_2(spec: Path, tmp_path: Path, pellucid) -> None:
    shown = pellucid("study", "status", spec, "--out", tmp_path / "none")
    assert shown.code == 2
    assert "no run of this study exists" in shown.err


def _one_class(bids: Path) -> str:
    table = read_tsv(bids / "participants.tsv")
    write_tsv(bids / "participants.tsv", table.assign(group="MS"))
    return "a study with one class only"


def _no_participants(bids: Path) -> str:
    (bids / "participants.tsv").unlink()
    return "does not exist"


def _nothing(bids: Path) -> str:
    shutil.rmtree(bids)
    return "does not exist"


@pytest.mark.parametrize("spoil", [_one_class, _no_participants, _nothing])
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_dataset_that_cannot_be_used_is_2_before_anything_runs(
    verb: str, spoil, spec: Path, bids: Path, tmp_path: Path, pellucid
) -> None:
    words = spoil(bids)
    shown = pellucid("study", verb, spec, "--out", tmp_path / "run")
    assert shown.code == 2
    assert words in shown.err
    assert str(bids) in shown.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("channels = 2", "chanels = 2", "Did you mean `channels`?"),
        ('arms = ["scratch"]', 'arms = ["scratch"]\nmethods = ["lrp"]', "lrp-epsilon"),
        ("bootstrap = 100", 'bootstrap = 100\natlases = ["nowhere"]', "nowhere"),
    ],
)
def test_a_wrong_specification_is_2(old: str, new: str, words: str, spec: Path, tmp_path: Path, pellucid) -> None:
    spec.write_text(spec.read_text().replace(old, new))
    shown = pellucid("study", "run", spec, "--out", tmp_path / "run")
    assert shown.code == 2
    assert words in shown.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cluster", "slum"), "Give local, slurm or a scheduler's address"),
        (("--cluster", "tcp://127.0.0.1:9", "--workers", 2), "--workers: cannot be used with --cluster tcp"),
        (("--cluster", "slurm"), "pip install 'pellucid[slurm]'"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_2(
    options: tuple[object, ...], words: str, spec: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    shown = pellucid("study", "run", spec, "--out", tmp_path / "run", *options)
    assert shown.code == 2
    assert words in shown.err
    assert not (tmp_path / "run").exists()


def test_an_out_that_is_a_file_is_2(spec: Path, tmp_path: Path, pellucid) -> None:
    (tmp_path / "file").write_text("precious")
    shown = pellucid("study", "run", spec, "--out", tmp_path / "file")
    assert shown.code == 2
    assert "Traceback" not in shown.err
    assert (tmp_path / "file").read_text() == "precious"


def test_a_study_on_a_local_cluster_tells_what_fails_and_how_often(
    spec: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tasks(*arguments: object, **options: object) -> list[Task]:
        assert options.get("workers", 1) == 1  # Dask's workers may have no processes of their own

        def bug(_: Progress) -> None:
            raise IndexError("a bug")

        def write(progress: Progress) -> None:
            (tmp_path / "run" / "b").write_text("b")

        return [
            Task(kind="a", outputs=(tmp_path / "run" / "a",), needs=(), run=bug),
            Task(kind="b", outputs=(tmp_path / "run" / "b",), needs=(), run=write),
        ]

    monkeypatch.setattr("pellucid.study.run.study_tasks", tasks)
    monkeypatch.setattr("pellucid.cli.runs.write_report", lambda folder: (folder / "report.html", True))
    shown = pellucid("study", "run", spec, "--out", tmp_path / "run", "--cluster", "local", "--workers", 2)
    assert shown.code == 1
    assert "failed: a: IndexError: a bug (tried 3 times)" in shown.err
    assert "1 of 2 tasks are not done" in shown.err
    record = read_json(tmp_path / "run" / "record.json")
    assert record["tasks"]["a"]["attempts"] == 3
    assert "attempts" not in record["tasks"]["b"]
    assert record["state"] == "incomplete"
    status = pellucid("study", "status", spec, "--out", tmp_path / "run")
    assert "failed    a IndexError: a bug (tried 3 times)" in status.out


def test_ctrl_c_says_how_to_go_on(spec: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.study.run.execute", stop)
    shown = pellucid("study", "run", spec, "--out", tmp_path / "run")
    assert shown.code == 130
    assert "the same command resumes" in shown.err
    assert read_json(tmp_path / "run" / "record.json")["state"] == "interrupted"


def test_no_permission_is_one_line(spec: Path, pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr("pellucid.study.run.run_study", refuse)
    shown = pellucid("study", "run", spec)
    assert shown.code == 2
    assert "error: /somewhere: there is no permission to write or read it. Change its permissions" in shown.err
    assert "Traceback" not in shown.err
