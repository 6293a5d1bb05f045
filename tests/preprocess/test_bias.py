"""Bias fields: one that was put in is taken out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.preprocess.conftest import affine_matrix, blob_head, grid_of

from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume, write_volume
from pellucid.preprocess import bias
from pellucid.preprocess.bias import correct_bias
from pellucid.preprocess.brain import extract_brain


def slow_field(shape: tuple[int, ...], strength: float) -> np.ndarray:
    x, y, z = (np.linspace(-1, 1, n) for n in shape)
    return np.exp(
        strength * (np.sin(2 * x)[:, None, None] + np.cos(2 * y)[None, :, None] - z[None, None, :] ** 2)
    ).astype(np.float32)


@pytest.mark.parametrize("tilt", [0.0, 15.0])
def test_a_field_that_was_put_in_is_taken_out(tilt: float) -> None:
    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    data, brain = blob_head(grid)
    grid = Grid.of(grid.shape, affine_matrix((tilt, 0, tilt), (0, 0, 0)) @ grid.affine)
    field = slow_field(grid.shape, 0.3)
    clean, _ = correct_bias(data, brain, grid)
    corrected, found = correct_bias(data * field, brain, grid)
    inside = brain
    left = np.log(corrected[inside] / clean[inside])
    assert left.std() < 0.25 * np.log(field[inside]).std()
    assert np.median(found[brain]) == pytest.approx(1.0, abs=1e-3)
    assert np.median(corrected[brain]) == pytest.approx(np.median((data * field)[brain]), rel=1e-4)
    assert corrected.shape == data.shape
    assert not corrected[~brain & (data == 0)].any()


def test_threads_change_nothing() -> None:
    grid = grid_of((40, 46, 40), (4.0, 4.0, 4.0))
    data, brain = blob_head(grid)
    data = data * slow_field(grid.shape, 0.2)
    one, two = (correct_bias(data, brain, grid, threads=n)[0] for n in (1, 2))
    assert np.abs(one - two).max() <= 1e-3 * np.abs(one).max()


def test_a_program_that_fails_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of((40, 46, 40), (4.0, 4.0, 4.0))
    data, brain = blob_head(grid)

    def failing(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "first\nno memory\n")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", failing)
        with pytest.raises(PellucidError, match="niimath, which corrects bias fields, failed: no memory"):
            correct_bias(data, brain, grid)
    monkeypatch.setattr(bias, "_program", lambda: "/none/niimath")
    with pytest.raises(PellucidError, match="did not start"):
        correct_bias(data, brain, grid)


def test_a_field_that_no_coil_makes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of((40, 46, 40), (4.0, 4.0, 4.0))
    data, brain = blob_head(grid)

    def wild(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        mask = read_volume(command[command.index("-mask") + 1])
        write_volume(command[command.index("-field") + 1], slow_field(mask.grid.shape, 3.0), mask.grid)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", wild)
    with pytest.raises(InputError, match=r"bias field: N4's field ranges from .* which no coil produces.*--skip bias"):
        correct_bias(data, brain, grid)


@pytest.mark.slow
def test_a_field_over_a_real_flair_is_taken_out(raw_pairs: Path) -> None:
    scan = read_volume(raw_pairs / "patient03_study2_FLAIR.nii.gz")
    brain = extract_brain(scan).mask
    field = slow_field(scan.grid.shape, 0.25)
    _, before = correct_bias(scan.data, brain, scan.grid)
    _, after = correct_bias(scan.data * field, brain, scan.grid)
    left = np.log(after / before / field)[brain]
    assert left.std() < 0.15 * np.log(field[brain]).std()
