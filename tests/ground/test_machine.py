"""The machine is described as it is, in types that JSON has."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version

import pytest
import torch

import pellucid
from pellucid.ground import machine


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say which cores a process may use")
def test_cores_are_those_that_this_process_may_use() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert machine.cores() == len(mine)


def test_the_environment_holds_versions_and_hardware() -> None:
    found = machine.environment()
    assert json.loads(json.dumps(found)) == found
    assert found["pellucid"] == pellucid.__version__
    assert found["packages"]["numpy"] == version("numpy")
    assert found["threads"] == torch.get_num_threads()
    assert found["processor"]
    assert found["memory_gb"] is None or found["memory_gb"] > 0.1


def test_a_package_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    assert machine.environment()["packages"] == {"numpy": version("numpy")}


def test_a_system_that_does_not_tell_its_memory_has_none_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert machine.memory_gb() is None
