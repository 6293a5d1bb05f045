"""`pellucid bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.benchmark import run
from pellucid.cli import bench
from pellucid.ground.files import read_json


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CHANNELS", 2)
    monkeypatch.setattr(run, "measure", lambda setup, threads: None)


def test_bench_prints_a_table_and_writes_json(tmp_path: Path, pellucid) -> None:
    out = tmp_path / "new" / "bench.json"
    shown = pellucid("bench", "--work", "predict", "--repeats", 1, "--out", out)
    assert shown.code == 0
    for words in ("GFLOP/s", "conv1: ", "prediction, batch 4", "plain-best", "of limit", "scans/h", "n/a"):
        assert words in shown.out
    assert "training step" not in shown.out
    assert "benchmark: done in" in shown.err
    content = read_json(out)
    assert [duel["rival"] for duel in content["duels"]] == ["plain", "plain-best"]


def test_a_busy_machine_is_said(pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STEADY", 0.5)
    monkeypatch.setattr(run.os, "getloadavg", lambda: (3.0, 0.0, 0.0))
    shown = pellucid("bench", "--work", "predict", "--repeats", 1)
    assert shown.code == 0
    assert "the machine was busy (load 3.0 before), run it again when it is idle: predict ours 0." in shown.err


def test_memory_may_be_kept(tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setattr(run, "keep_freed_memory", lambda: kept.append(True))
    shown = pellucid("bench", "--work", "predict", "--repeats", 1, "--keep-memory", "--out", tmp_path / "bench.json")
    assert shown.code == 0
    assert kept == [True]
    assert "freed memory was kept" in shown.out
    assert read_json(tmp_path / "bench.json")["settings"]["keep_memory"] is True


def test_a_rival_with_another_result_is_said_and_is_1(pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TOLERANCE", -1.0)
    shown = pellucid("bench", "--work", "predict", "--repeats", 1)
    assert shown.code == 1
    assert "predict: the result of plain-best differs from ours by" in shown.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repeats", 0], "--repeats: is 0"),
        (["--threads", -1], "--threads: is -1"),
        (["--out", "bench.txt"], "--out: bench.txt is not a JSON file"),
        (["--work", "sleep"], "sleep"),
    ],
)
def test_bad_options_are_2(arguments: list[object], words: str, pellucid) -> None:
    shown = pellucid("bench", *arguments)
    assert shown.code == 2
    assert words in shown.err
