"""A whole benchmark, small."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

import pytest
import torch

from pellucid.benchmark import run as module
from pellucid.benchmark.run import Benchmark, Measurement, Settings, run
from pellucid.benchmark.works import WORKS, Setup

MEMORY = {"ours": 100, "plain": 250, "plain-best": None, "dense": 300}


@pytest.fixture(scope="module")
def measured() -> tuple[Benchmark, list[tuple[int, int, str]]]:
    """Everything once, with made-up memory; and the progress that was reported."""
    ticks: list[tuple[int, int, str]] = []
    settings = Settings(repeats=2, channels=2, batch=2, threads=torch.get_num_threads())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measure", lambda setup, threads: MEMORY[setup.entrant])
        return run(settings, lambda *tick: ticks.append(tick)), ticks


def test_every_work_has_its_rivals_and_they_agree(measured) -> None:
    found, _ = measured
    pairs = [(duel.ours.setup.work, duel.rival.setup.entrant) for duel in found.duels]
    assert pairs[:4] == [(work, rival) for work in ("train", "predict") for rival in ("plain", "plain-best")]
    assert pairs[4:] == [("explain", "dense")]
    assert all(duel.agrees for duel in found.duels)
    assert [duel.ours.setup.batch for duel in found.duels] == [2, 2, 2, 2, 1]
    assert set(found.paths) == {"conv1", "conv2", "conv3", "conv4"}


def test_figures_follow_from_the_times(measured) -> None:
    found, _ = measured
    duel = found.duels[0]
    assert duel.speedup == median(duel.rival.seconds) / median(duel.ours.seconds)
    assert duel.saving == 2.5
    assert found.duels[1].saving is None
    rate = 2 * found.gflop / median(duel.ours.seconds)
    assert found.rate(duel.ours) == pytest.approx(rate)
    assert found.share_of_limit(duel.ours) == pytest.approx(
        rate / (2 * 2048**3 / median(found.gemm_seconds[duel.ours.setup.work]) / 1e9)
    )


@pytest.mark.parametrize(("seconds", "steady"), [([1.0, 1.4, 1.1], True), ([1.0, 1.0, 1.6], False)])
def test_times_far_apart_are_not_steady(seconds: list[float], steady: bool) -> None:
    assert Measurement(setup=Setup(work="train", entrant="ours"), seconds=seconds, memory=None).steady is steady


def test_progress_counts_to_its_total(measured) -> None:
    _, ticks = measured
    assert [done for done, _, _ in ticks] == list(range(1, len(ticks) + 1))
    assert {total for _, total, _ in ticks} == {len(ticks)}


def test_json_holds_every_time_and_what_it_was_measured_on(measured) -> None:
    found, _ = measured
    content: dict[str, Any] = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert set(content) == {
        *("date", "environment", "load_before", "settings", "paths", "gflop_per_volume", "gemm", "duels"),
    }
    assert content["environment"]["threads"] == content["settings"]["threads"]
    assert {"pellucid", "python", "packages", "processor", "cores"} <= set(content["environment"])
    assert {"torch", "numba"} <= set(content["environment"]["packages"])
    assert {work: len(seconds) for work, seconds in content["gemm"]["seconds"].items()} == dict.fromkeys(WORKS, 2)
    for duel in content["duels"]:
        assert set(duel) == {
            *("work", "rival", "difference", "agrees", "speedup", "memory_ratio", "gflop_per_second"),
            *("share_of_limit", "ours", "theirs"),
        }
    sides = [duel[side] for duel in content["duels"] for side in ("ours", "theirs")]
    for one in sides:
        assert len(one["seconds"]) == 2
        assert one["median_seconds"] == median(one["seconds"])
        voxels = one["batch"] * one["shape"][0] * one["shape"][1] * one["shape"][2]
        assert one["voxels_per_second"] == pytest.approx(voxels / one["median_seconds"])
        assert one["subjects_per_hour"] == pytest.approx(3600 * one["batch"] / one["median_seconds"])
        assert one["peak_memory_bytes"] == MEMORY[one["entrant"]]
