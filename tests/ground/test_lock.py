"""The lock: one process a run directory, and nothing left of a process that was killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.ground import lock
from pellucid.ground.errors import InputError
from pellucid.ground.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from pellucid.ground.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(InputError, match=f"a run is in progress here .*process {holder.pid} on "), locked(tmp_path):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        pass


def test_the_lock_is_let_go_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    with locked(tmp_path):
        pass


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def take(_: object, *, wait: bool) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_take", take)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN])
def test_both_ways_to_say_held_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refuse(monkeypatch, number)
    with pytest.raises(InputError, match=r"a run is in progress here \(another process\)"), locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_warned_of_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    refuse(monkeypatch, number)
    entered = False
    with locked(tmp_path):
        entered = True
    assert entered
    assert f"{tmp_path}: this file system has no locks ({os.strerror(number)})" in caplog.text
