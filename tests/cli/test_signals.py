"""A run that the system ends, as schedulers do, or that Ctrl-C does: the record, the workers, the words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pellucid.ground.files import read_json

SPEC = """
[study]
name = "long"

[cohorts.ms.simulate]
kind = "ms"
patients = {people}
controls = {people}
voxel_size = {size}

[splits.ms]
holdout = 2
validation = 2

[training.a]
cohort = "ms"
channels = 2
max_epochs = 5000
patience = 5000
"""


def wait_for(run: Path, task: str, process: subprocess.Popen[str], more: str) -> None:
    """Wait until a task is under way and `more`, a pattern of files, is there."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        if (run / "record.json").is_file():
            state = read_json(run / "record.json")["tasks"].get(task, {}).get("state")
            if state == "running" and any(run.glob(more)):
                return
        time.sleep(0.2)
    raise AssertionError(f"{task} did not begin")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize(
    ("number", "group", "options", "people", "size", "task", "more"),
    [
        (signal.SIGTERM, False, ("--workers", "1"), 3, 4.0, "train/a/trial-00", "splits.tsv"),
        (signal.SIGTERM, True, ("--workers", "2"), 30, 2.0, "simulate/ms", "cohorts/ms/sub-*/anat/*"),
        (signal.SIGINT, True, ("--workers", "2"), 30, 2.0, "simulate/ms", "cohorts/ms"),
        (signal.SIGHUP, False, ("--workers", "2", "--cluster", "local"), 3, 4.0, "train/a/trial-00", "splits.tsv"),
    ],
)
def test_a_run_that_is_told_to_end_puts_itself_in_order(
    number: signal.Signals,
    group: bool,
    options: tuple[str, ...],
    people: int,
    size: float,
    task: str,
    more: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "long.toml").write_text(SPEC.format(people=people, size=size))
    run = tmp_path / "run"
    command = [sys.executable, "-P", "-c", "from pellucid.cli.main import run; run()"]
    process = subprocess.Popen(
        [*command, "study", "run", tmp_path / "long.toml", "--out", run, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_for(run, task, process, more)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert bool(workers) is (options[-1] != "1")
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        err = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + number, err
    assert err.rstrip().endswith("stopped; the same command resumes the run")
    assert "Traceback" not in err
    assert "Error" not in err
    assert not psutil.wait_procs(workers, timeout=30)[1]
    record = read_json(run / "record.json")
    assert record["state"] == "interrupted"
    assert not [path for path in run.rglob(".*") if path.name != ".lock" and "building" not in path.parts]
