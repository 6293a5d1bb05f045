"""Faces, edges, empty slices and sizes against what is made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.gate.shape import Face, edges, empty_slices, faces, field_size, judge_size, judge_voxels, profile
from pellucid.image.grid import Grid


def box() -> tuple[np.ndarray, Grid]:
    """A box of 40 x 50 x 60 mm of brain in LAS voxels of 2 mm, its back against the border."""
    mask = np.zeros((40, 40, 40), dtype=bool)
    mask[10:30, 0:25, 5:35] = True
    return mask, Grid.of(mask.shape, np.diag([-2.0, 2.0, 2.0, 1.0]))


def test_faces_of_a_box_are_its_sides() -> None:
    mask, grid = box()
    side = {"left": 30.0, "right": 30.0, "front": 24.0, "back": 24.0, "top": 20.0, "bottom": 20.0}
    assert {face.side: face.area for face in faces(mask, grid)} == pytest.approx(side)
    flat = Face("back", pytest.approx(24.0))  # type: ignore[arg-type]
    assert [face for face in edges(mask, grid) if face.area > 0] == [flat]
    assert profile(mask, grid, 2)[[4, 5, 34, 35]] == pytest.approx([0.0, 20.0, 20.0, 0.0])


def test_a_ball_has_small_faces_at_any_voxel_size() -> None:
    for size in (1.0, 2.0, 4.0):
        n = round(200 / size)
        grid = Grid.of((n, n, n), np.diag([size, size, size, 1.0]))
        xyz = grid.world(np.moveaxis(np.indices((n, n, n)), 0, -1))
        ball = np.linalg.norm(xyz - 100.0, axis=-1) < 75.0
        # A cap of 4 mm has 2 pi r - pi h / 3 ... of volume: its mean area is pi h (r - h / 3) = 9.3 cm2.
        assert all(face.area < 20.0 for face in faces(ball, grid))


def test_empty_slices() -> None:
    mask, grid = box()
    assert empty_slices(mask, grid) == 0
    mask[:, :, 10:13] = False
    assert empty_slices(mask, grid) == 3
    mask[:, :, ::2] = False
    assert empty_slices(mask, grid) >= 15
    mask, grid = box()
    mask[38, 38, 38] = True  # a speck off the brain, behind empty slices
    assert empty_slices(mask, grid) == 0


@pytest.mark.parametrize(
    ("ratio", "field", "verdict"),
    [
        (0.1, None, "size!"),
        (0.43, None, "size"),
        (0.51, None, "size"),
        (0.59, None, ""),
        (1.6, None, ""),
        (1.86, None, "skull!"),
        (0.43, 0.9, ""),
        (0.38, 1.0, "size"),
        (0.51, 0.8, "size!"),
        (0.80, 0.8, "size"),
        (1.65, 1.4, "size!"),
        (1.6, 1.1, ""),
    ],
)
def test_sizes(ratio: float, field: float | None, verdict: str) -> None:
    found = judge_size(ratio, field)
    assert "".join(f.kind + "!" * f.refused for f in found) == verdict
    assert all(f"{ratio:.2f} of the template's" in f.seen or "larger than any" in f.seen for f in found)


@pytest.mark.parametrize(
    ("shape", "voxel", "size"),
    [
        ((182, 218, 182), 1.0, 1.0),
        ((91, 109, 91), 1.8, 0.9),
        ((99, 117, 95), 1.6, 0.8),
        ((193, 229, 193), 1.0, 1.0),
        ((121, 145, 121), 2.1, 1.4),
        ((160, 160, 160), 1.0, None),
        ((1, 1, 1), 1.0, None),
    ],
)
def test_a_template_s_grid_is_known_by_its_proportions(shape: Any, voxel: float, size: float | None) -> None:
    for axes in ([0, 1, 2], [1, 2, 0]):  # however its voxels are stored
        affine = np.eye(4)
        affine[:3, :3] = voxel * np.eye(3)[:, axes]
        found = field_size(Grid.of(tuple(shape[axis] for axis in axes), affine))
        assert found == (size if size is None else pytest.approx(size, abs=0.004))


def test_thick_slices_are_remarked_on() -> None:
    assert judge_voxels(Grid.of((2, 2, 2), np.diag([1, 1, 4.0, 1]))) == []
    (finding,) = judge_voxels(Grid.of((2, 2, 2), np.diag([1, 1, 6.0, 1])))
    assert not finding.refused
    assert "6.0 mm long" in finding.seen


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("second", [False, True])
def test_half_a_brain_is_refused(axis: int, second: bool, flair: Any) -> None:
    data = flair.data.copy()
    middle = data.shape[axis] // 2
    np.moveaxis(data, axis, 0)[slice(middle, None) if second else slice(None, middle)] = 0
    findings = flair.but(data).look().findings
    assert any(finding.kind == "coverage" and finding.refused for finding in findings)
    assert any("cut off at the" in finding.seen for finding in findings)


@pytest.mark.parametrize(
    ("top", "slices", "refused"), [(True, 3, False), (True, 5, True), (True, 9, True), (False, 5, False)]
)
def test_a_cut_top_or_cerebellum_is_seen(top: bool, slices: int, refused: bool, flair: Any) -> None:
    inside = np.flatnonzero(flair.brain.any(axis=(0, 1)))
    data = flair.data.copy()
    if top:
        data[..., inside[-1] + 1 - slices :] = 0
    else:
        data[..., : inside[0] + slices] = 0
    (finding,) = flair.but(data).look().findings
    assert f"cut off at the {'top' if top else 'bottom'}" in finding.seen
    assert finding.refused == refused
