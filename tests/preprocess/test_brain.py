"""Brain extraction on heads that somebody else has stripped, and on whole ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.preprocess.conftest import affine_matrix, blob_head, grid_of

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume
from pellucid.image.prepare import find_brain
from pellucid.image.resample import resample
from pellucid.preprocess import brain as module
from pellucid.preprocess.brain import Brain, extract_brain, skull_share, weights
from pellucid.preprocess.quality import dice


def test_what_lies_far_outside_the_brain_is_skull() -> None:
    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    data, brain = blob_head(grid)
    assert skull_share(Volume(data, grid), brain) == 0.0
    voxels = grid.world(np.stack(np.indices(grid.shape), axis=-1))
    shell = ((voxels**2 / np.array([72.0, 87.0, 67.0]) ** 2).sum(axis=-1) < 1.0) & ~brain
    headed = Volume(np.where(shell, np.float32(80.0), data), grid)
    assert skull_share(headed, brain) > 0.2


def test_skip_believes_the_scan_and_checks_its_size() -> None:
    data, brain = blob_head(grid_of((60, 70, 60), (3.0, 3.0, 3.0)))
    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    found = extract_brain(Volume(data, grid), "skip")
    assert found.stripped
    assert np.array_equal(found.mask, brain)
    with pytest.raises(InputError, match="the brain that was found has 38 ml"):
        extract_brain(Volume(data, grid_of((60, 70, 60), (1.0, 1.0, 1.0))), "skip")
    with pytest.raises(InputError, match="--skull-strip: is 'never'"):
        extract_brain(Volume(data, grid), "never")  # type: ignore[arg-type]


def test_the_weights_are_found_or_missed_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights("model").is_file()
    with pytest.raises(InputError, match="the deepbet package lacks this file"):
        weights("none")

    def gone(name: str) -> None:
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", gone)
    with pytest.raises(InputError, match=r"deepbet: the package is not installed.*pip install deepbet"):
        weights("model")


def test_what_holds_no_brain_is_said_to() -> None:
    grid = grid_of((40, 40, 40), (5.0, 5.0, 5.0))
    flat = Volume(np.full(grid.shape, 7.0, np.float32), grid, Path("flat.nii"))
    with pytest.raises(InputError, match=r"flat\.nii: "):
        extract_brain(flat)
    spot = np.zeros(grid.shape, np.float32)
    spot[18:22, 18:22, 18:22] = np.random.default_rng(0).random((4, 4, 4))
    with pytest.raises(InputError, match=r"spot\.nii.*(no brain was found|no contrast|the brain that was found has)"):
        extract_brain(Volume(spot, grid, Path("spot.nii")))


@pytest.mark.slow
def test_a_stripped_scan_is_seen_to_be_and_the_network_agrees_with_its_authors(
    stripped_t1w: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure: Dice of 0.95 or more with the masks of native scans, whose authors stripped them (the benchmark)."""
    scan = stripped_t1w
    theirs = find_brain(scan.data)
    forced = extract_brain(scan, "force")
    assert not forced.stripped
    assert dice(forced.mask, theirs) >= 0.95
    monkeypatch.setattr(module, "_network_brain", lambda *_: forced.mask)  # it need not be asked again
    found = extract_brain(scan)
    assert found.stripped
    assert np.array_equal(found.mask, theirs)


@pytest.mark.slow
def test_whole_heads_of_two_contrasts_have_one_brain(heads: dict[str, tuple[Volume, Brain]]) -> None:
    t1w, one = heads["T1W"]
    flair, other = heads["FLAIR"]
    assert not one.stripped
    assert not other.stripped
    # The pair was measured without moving: both brains lie at the same millimetres.
    assert dice(resample(one.mask, t1w.grid, flair.grid) >= 0.5, other.mask) >= 0.95


@pytest.mark.slow
def test_orientation_does_not_matter(heads: dict[str, tuple[Volume, Brain]]) -> None:
    """The same head in another voxel order, and lying askew, has the same brain."""
    scan, brain = heads["T1W"][0], heads["T1W"][1].mask
    affine = scan.grid.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 0] * (scan.grid.shape[2] - 1)
    affine[:3, 0] *= -1
    turned = Grid.of((scan.grid.shape[2], *scan.grid.shape[:2]), affine)
    data = np.ascontiguousarray(scan.data.transpose(2, 0, 1)[::-1])
    assert dice(extract_brain(Volume(data, turned)).mask[::-1].transpose(1, 2, 0), brain) > 0.995
    askew = Grid.of(scan.grid.shape, affine_matrix((10, -12, 15), (5, 5, 5)) @ scan.grid.affine)
    assert dice(extract_brain(Volume(scan.data, askew)).mask, brain) > 0.95
