"""The pose of a brain is found in its image: all 48 orientations, tilts and sizes."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pellucid.gate.pose import coarsen, fit_template
from pellucid.image.grid import Grid
from pellucid.image.prepare import MNI_BRAIN_CENTRE

ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))


def moved(grid: Grid, linear: Any) -> Grid:
    about, matrix = np.eye(4), np.eye(4)
    about[:3, 3] = MNI_BRAIN_CENTRE
    matrix[:3, :3] = linear
    return Grid.of(grid.shape, about @ matrix @ np.linalg.inv(about) @ grid.affine)


def cube(image: Any) -> Any:
    side = max(image.data.shape)
    pads = [((side - n) // 2, side - n - (side - n) // 2) for n in image.data.shape]
    affine = image.grid.affine
    affine[:3, 3] = image.grid.world([-before for before, _ in pads])
    data = np.pad(image.data, pads)
    return image.but(data, Grid.of(data.shape, affine))


def lies_as(axes: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    """The rotation or reflection that an array transposed and flipped so shows in the world; voxels are LAS."""
    matrix = np.zeros((3, 3))
    signs = np.array([-1.0, 1.0, 1.0])  # of the grid's axes in the world
    for new, old in enumerate(axes):
        matrix[new, old] = signs[new] * (-1.0 if flips[new] else 1.0) * signs[old]
    return matrix


@pytest.mark.slow
@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_every_orientation_but_left_and_right_is_refused(axes: Any, flips: Any, flair: Any) -> None:
    whole = cube(flair)
    turned = np.flip(whole.data.transpose(axes), [a for a in range(3) if flips[a]])
    seen = whole.but(turned).look()
    truth = lies_as(axes, flips)
    if axes == (0, 1, 2) and not any(flips[1:]):
        assert seen.findings == ()
        return
    assert [finding.kind for finding in seen.findings] == ["pose"]
    assert seen.findings[0].refused
    assert seen.fit is not None
    # What is found is what was done, up to left and right.
    np.testing.assert_allclose(seen.fit.turn[:, 1:], truth[:, 1:], atol=0.05)


@pytest.mark.parametrize(
    ("axis", "words"),
    [(2, "is upside down: according to its header, its top is at the bottom"), (1, "lies back to front")],
)
def test_what_is_turned_over_is_named(axis: int, words: str, flair: Any) -> None:
    (finding,) = flair.but(np.flip(flair.data, axis)).look().findings
    assert words in finding.seen
    assert "dcm2niix" in finding.cure
    assert "pellucid preprocess" in finding.cure


@pytest.mark.parametrize("degrees", [-10, 10])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_turn_by_ten_degrees_is_found_and_passes(axis: str, degrees: int, flair: Any) -> None:
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    seen = flair.but(grid=moved(flair.grid, turn)).look()
    assert seen.findings == ()
    assert seen.fit is not None
    np.testing.assert_allclose(seen.fit.turn, turn, atol=0.05)


@pytest.mark.parametrize("degrees", [30, 40])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_turn_by_thirty_degrees_is_remarked_on_and_by_forty_refused(axis: str, degrees: int, flair: Any) -> None:
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    finding = flair.but(grid=moved(flair.grid, turn)).look().findings[0]
    assert finding.refused == (degrees == 40)
    assert "rotated by 4" in finding.seen or "rotated by 3" in finding.seen


@pytest.mark.parametrize("size", [0.9, 1.0, 1.1])
def test_the_size_is_found(size: float, flair: Any) -> None:
    image = flair.but(grid=moved(flair.grid, size * np.eye(3)))
    fit = fit_template(coarsen(image.data, image.brain, image.grid))
    assert np.cbrt(np.linalg.det(fit.linear)) == pytest.approx(size, rel=0.04)
    again = fit_template(coarsen(image.data, image.brain, image.grid))
    assert np.array_equal(again.linear, fit.linear)
    assert again.score == fit.score
