"""Figure S2 ranks areas by one patient."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.report.figures import material, pixels

from pellucid.report.paper.lesion_regions import figure_s2, lesion_data
from pellucid.report.paper.material import MissingError

GROUPS = ("MS", "HC")
ROWS = pd.DataFrame(
    [
        ("sub-0", "HC", "a", 100, 0),
        ("sub-0", "HC", "b", 10, 2),
        ("sub-0", "HC", "c", 0, 0),
        ("sub-1", "MS", "a", 100, 3),
        ("sub-1", "MS", "b", 10, 1),
        ("sub-1", "MS", "c", 0, 0),
        ("sub-2", "MS", "a", 100, 5),
        ("sub-2", "MS", "b", 10, 9),
        ("sub-2", "MS", "c", 0, 0),
    ],
    columns=["participant_id", "group", "area", "voxels", "lesion_voxels"],
)


def test_it_ranks_areas_by_the_first_patient() -> None:
    data = lesion_data(ROWS, GROUPS)
    assert data["area"].unique().tolist() == ["a", "b", "c"]
    assert data.loc[data["area"] == "b", ["group", "lesion_voxels"]].to_numpy().tolist() == [
        ["MS", 1],
        ["MS", 9],
        ["HC", 2],
    ]


def test_a_second_session_of_the_first_patient_does_not_count() -> None:
    later = ROWS[ROWS["participant_id"] == "sub-1"].assign(session_id="ses-2", lesion_voxels=[0, 50, 60])
    rows = pd.concat([ROWS.assign(session_id="ses-1"), later], ignore_index=True)
    assert lesion_data(rows, GROUPS)["area"].unique().tolist() == ["a", "b", "c"]


def test_without_patients_with_a_mask_there_is_no_figure() -> None:
    with pytest.raises(MissingError, match="no scan of group MS has a lesion mask"):
        lesion_data(ROWS[ROWS["group"] == "HC"], GROUPS)


def test_it_is_drawn_of_all_scans_with_a_mask(root: Path, tmp_path: Path) -> None:
    drawing = figure_s2(material(root))
    first = drawing.data[drawing.data["participant_id"] == "sub-0002"]
    assert first["lesion_voxels"].is_monotonic_decreasing
    assert drawing.data["area"].nunique() == 6  # those of the white-matter atlas alone
    assert len(set(drawing.data["participant_id"])) == 10
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 15
