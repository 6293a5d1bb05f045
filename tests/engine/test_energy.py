"""Counters of processor packages: what is added counts once, also when a counter starts again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.engine.energy import Energy


def package(root: Path, name: str, energy: int, *, top: int = 1_000_000_000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{top}\n")
    return folder / "energy_uj"


def test_all_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    one, two = package(tmp_path, "intel-rapl:0", 5_000_000), package(tmp_path, "intel-rapl:1", 0)
    core = package(tmp_path, "intel-rapl:0:0", 0)
    energy = Energy(tmp_path)
    assert energy.used() == 0.0
    for path, value in ((one, 8_000_000), (two, 1_500_000), (core, 2_000_000)):
        path.write_text(str(value))
    assert energy.used() == pytest.approx(4.5)
    assert energy.used() == pytest.approx(4.5)
    assert energy.entry() == {"energy_joules": 4.5}


def test_a_counter_that_starts_again_loses_nothing(tmp_path: Path) -> None:
    counter = package(tmp_path, "intel-rapl:0", 999_000_000)
    energy = Energy(tmp_path)
    counter.write_text("1000000")
    assert energy.used() == pytest.approx(2.0)


def test_where_nothing_is_counted_nothing_is_said(tmp_path: Path) -> None:
    assert Energy(tmp_path / "absent").entry() == {"energy_joules": None}
    counter = package(tmp_path, "intel-rapl:0", 1)
    energy = Energy(tmp_path)
    counter.unlink()
    assert energy.used() is None
