"""Evidence about one map: what is missing stays missing, and masks come from a checked grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_json
from pellucid.image.grid import MNI_2MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.maps.evidence import find_learned, lesion_evidence, read_lesions
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesions import lesion_share
from pellucid.trust.nulls import NULLS, Learned

GRID = resized(MNI_2MM, (10, 12, 10))
OTHER = resized(MNI_2MM, (20, 24, 20))


def arrays(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shape = GRID.shape
    return {
        "relevance": rng.standard_normal(shape).astype(np.float32),
        "lesions": rng.random(shape) < 0.1,
        "image": rng.standard_normal(shape).astype(np.float32),
        "brain": rng.random(shape) < 0.8,
        "seen": rng.random(shape) < 0.7,
        "learned": Learned(mean_lesion=rng.random(shape).astype(np.float32), missing="nobody fitted it"),
    }


def evidence(**changes: Any) -> pd.DataFrame:
    given = arrays() | changes
    lesions, name = given.pop("lesions"), given.pop("name", "lrp")
    table = lesion_evidence(given.pop("relevance"), lesions, name=name, grid=GRID, **given)
    return table.set_index("map")


def test_the_map_comes_first_and_is_measured_as_the_analysis_says() -> None:
    table, given = evidence(), arrays()
    assert list(table.index) == ["lrp", "|lrp|", *NULLS]
    brain, relevance = given["brain"], given["relevance"]
    maps = {"lrp": relevance, "|lrp|": np.abs(relevance), "mean-lesion": given["learned"].mean_lesion * brain}
    for name, values in maps.items():
        expected = lesion_share(values, given["lesions"], brain, given["seen"])
        assert dict(table.loc[name]) == pytest.approx(expected)
    assert table.loc["logistic", "reason"] == "nobody fitted it"


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"image": None}, {*NULLS} - {"random", "mean-lesion"}),
        ({"learned": Learned()}, {"mean-lesion", "intensity-x-prior", "logistic"}),
        ({"lesions": None}, {"lrp", "|lrp|", *NULLS}),
    ],
)
def test_what_is_not_at_hand_is_missing_and_the_rest_unchanged(changes: dict[str, Any], missing: set[str]) -> None:
    table, whole = evidence(**changes), evidence()
    assert list(table.index) == list(whole.index)
    absent = [name in missing or name == "logistic" for name in table.index]
    assert table.loc[absent, list(MEASURES)].isna().all(axis=None)
    assert (table.loc[absent, "reason"] != "").all()
    kept = [name for name in whole.index if name not in missing and name != "logistic"]
    pd.testing.assert_frame_equal(table.loc[kept], whole.loc[kept])


def test_the_noise_is_that_of_the_map_whoever_judges_it() -> None:
    relevance = arrays()["relevance"]
    one, same, other = (
        evidence(relevance=values).loc["random", "auroc"]
        for values in (relevance, np.asfortranarray(relevance.astype(np.float64)), relevance + np.float32(1))
    )
    assert one == same != other


def test_a_map_cannot_pass_for_a_null() -> None:
    assert list(evidence(name="random").index) == ["map", "|map|", *NULLS]


def write_mask(path: Path, mask: np.ndarray, grid: Grid) -> Path:
    write_volume(path, mask, grid, np.uint8)
    return path


def test_a_mask_may_lie_on_the_scans_grid_or_on_the_models(tmp_path: Path) -> None:
    coarse = np.zeros(GRID.shape, dtype=bool)
    coarse[4:7, 4:7, 4:7] = True
    found = read_lesions(write_mask(tmp_path / "a.nii.gz", coarse, GRID), native=OTHER, grid=GRID).mask
    np.testing.assert_array_equal(found, coarse)
    fine = np.zeros(OTHER.shape, dtype=bool)
    fine[8:14, 8:14, 8:14] = True
    brought = read_lesions(write_mask(tmp_path / "b.nii.gz", fine, OTHER), native=OTHER, grid=GRID).mask
    volumes = [mask.sum() * grid.voxel_volume_ml for mask, grid in ((fine, OTHER), (brought, GRID))]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.6)
    assert brought[5, 5, 5]
    with pytest.raises(InputError, match="lies on another grid"):
        read_lesions(tmp_path / "b.nii.gz", native=GRID, grid=GRID)


def test_what_nulls_learned_is_looked_for_beside_the_model_and_its_arm(tmp_path: Path) -> None:
    model = tmp_path / "arm" / "trial-00"
    model.mkdir(parents=True)
    nothing = find_learned(model, GRID)
    assert nothing.mean_lesion is None
    assert "nulls.json" in nothing.missing
    values = arrays()["learned"].mean_lesion
    write_volume(model.parent / "population_lesions.nii.gz", values, GRID)
    said = {"BrightestPercent": {"Percent": 0.5}, "Logistic": None, "Missing": "no regression"}
    write_json(model.parent / "nulls.json", said)
    found = find_learned(model, GRID)
    np.testing.assert_array_equal(found.mean_lesion, values)
    assert (found.percent, found.missing) == (0.5, "no regression")
    elsewhere = find_learned(model, OTHER).mean_lesion
    assert elsewhere is not None
    assert elsewhere.shape == OTHER.shape
    (model.parent / "population_lesions.nii.gz").unlink()
    write_json(model.parent / "nulls.json", said | {"Missing": ""})
    assert "population_lesions.nii.gz" in find_learned(model, GRID).missing
