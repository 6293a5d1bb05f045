"""Evidence about one map: what is missing stays missing, and masks come from a checked grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.analysis.lesions import lesion_share
from pellucid.errors import InputError
from pellucid.image.grid import MNI_2MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.study.evidence import MEASURES, find_population, lesion_evidence, read_lesions

GRID = resized(MNI_2MM, (10, 12, 10))
OTHER = resized(MNI_2MM, (20, 24, 20))


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = GRID.shape
    return {
        "relevance": rng.standard_normal(shape).astype(np.float32),
        "lesions": rng.random(shape) < 0.1,
        "image": rng.standard_normal(shape).astype(np.float32),
        "brain": rng.random(shape) < 0.8,
        "seen": rng.random(shape) < 0.7,
        "population": rng.random(shape).astype(np.float32),
    }


def evidence(**changes: np.ndarray | None):
    given = arrays() | changes
    lesions = given.pop("lesions")
    table = lesion_evidence(given.pop("relevance"), lesions, name="lrp", seed=3, **given)
    return table.set_index("map")


def test_the_map_comes_first_and_is_measured_as_the_analysis_says() -> None:
    table, given = evidence(), arrays()
    assert list(table.index) == ["lrp", "intensity", "edge", "random", "mean-lesion"]
    for name, values in (("lrp", given["relevance"]), ("mean-lesion", given["population"] * given["brain"])):
        expected = lesion_share(values, given["lesions"], given["brain"], given["seen"])
        assert dict(table.loc[name]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [({"image": None}, ["intensity", "edge"]), ({"population": None}, ["mean-lesion"]), ({"lesions": None}, None)],
)
def test_what_is_not_at_hand_is_missing_and_the_rest_unchanged(changes: dict, missing: list[str] | None) -> None:
    table, whole = evidence(**changes), evidence()
    missing = list(whole.index) if missing is None else missing
    assert table.loc[missing, list(MEASURES)].isna().all(axis=None)
    kept = [name for name in whole.index if name not in missing]
    assert table.loc[kept].equals(whole.loc[kept])


def write_mask(path: Path, mask: np.ndarray, grid: Grid) -> Path:
    write_volume(path, mask, grid, np.uint8)
    return path


def test_a_mask_may_lie_on_the_scans_grid_or_on_the_models(tmp_path: Path) -> None:
    coarse = np.zeros(GRID.shape, dtype=bool)
    coarse[4:7, 4:7, 4:7] = True
    found = read_lesions(write_mask(tmp_path / "a.nii.gz", coarse, GRID), native=OTHER, grid=GRID)
    np.testing.assert_array_equal(found, coarse)
    fine = np.zeros(OTHER.shape, dtype=bool)
    fine[8:14, 8:14, 8:14] = True
    brought = read_lesions(write_mask(tmp_path / "b.nii.gz", fine, OTHER), native=OTHER, grid=GRID)
    volumes = [mask.sum() * grid.voxel_volume_ml for mask, grid in ((fine, OTHER), (brought, GRID))]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.6)
    assert brought[5, 5, 5]
    with pytest.raises(InputError, match="lies on another grid"):
        read_lesions(tmp_path / "b.nii.gz", native=GRID, grid=GRID)


def test_the_population_map_is_looked_for_beside_the_model_and_its_arm(tmp_path: Path) -> None:
    model = tmp_path / "arm" / "trial-00"
    model.mkdir(parents=True)
    assert find_population(model, GRID) is None
    values = arrays()["population"]
    write_volume(model.parent / "population_lesions.nii.gz", values, GRID)
    np.testing.assert_array_equal(find_population(model, GRID), values)
    elsewhere = find_population(model, OTHER)
    assert elsewhere is not None
    assert elsewhere.shape == OTHER.shape
