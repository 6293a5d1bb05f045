from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pellucid.atlas.labels import read_atlas
from pellucid.errors import InputError
from pellucid.image.grid import MNI_2MM, PAPER_GRID
from pellucid.image.nifti import write_volume

LABELS = np.zeros(MNI_2MM.shape, np.int16)
LABELS[20:30, 40:50, 40:50] = 3
LABELS[60:70, 40:50, 40:50] = 14175


def write(folder: Path, table: str, name: str = "own.tsv") -> tuple[Path, Path]:
    write_volume(folder / "own.nii.gz", LABELS, MNI_2MM, np.int16)
    (folder / name).write_text(table)
    return folder / "own.nii.gz", folder / name


def test_tsv_with_areas_and_csv_without(tmp_path: Path) -> None:
    atlas = read_atlas(*write(tmp_path, "name\tindex\tarea\tcolour\nRight A\t3\tA\tred\nLeft A\t14175\tA\tblue\n"))
    assert atlas.regions.to_dict("list") == {"index": [3, 14175], "name": ["Right A", "Left A"], "area": ["A", "A"]}
    np.testing.assert_array_equal(atlas.labels, LABELS)
    assert atlas.labels.dtype == np.int32
    assert atlas.grid.matches(MNI_2MM)
    atlas = read_atlas(*write(tmp_path, "index,name\n3,NA\n14175,Left A\n", "own.csv"))
    assert atlas.regions["area"].tolist() == ["NA", "Left A"]  # a name, not a missing value


def test_on_another_grid(tmp_path: Path) -> None:
    atlas = read_atlas(*write(tmp_path, "index\tname\n3\tA\n14175\tB\n")).on(PAPER_GRID)
    assert atlas.grid == PAPER_GRID
    assert atlas.labels.shape == PAPER_GRID.shape
    for label in (3, 14175):
        there = PAPER_GRID.world(np.argwhere(atlas.labels == label).mean(axis=0))
        here = MNI_2MM.world(np.argwhere(np.equal(LABELS, label)).mean(axis=0))
        np.testing.assert_allclose(there, here, atol=1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("index\tname\n3\tA\n", r"names 1 labels of .*own\.nii\.gz not at all: 14175"),
        ("label\tname\n3\tA\n", "lacks the columns index; it has label, name"),
        ("index\tname\n3\tA\n14175\tB\n3\tC\n", "names labels twice: 3"),
        ("index\tname\n3\tA\n14175\tn/a\n", "a row of the atlas table lacks its name"),
        ("index\tname\n3.5\tA\n14175\tB\n", "an index is no whole number"),
        ("", "not a tab-separated table"),
    ],
)
def test_bad_table(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"own\.tsv: .*{message}"):
        read_atlas(*write(tmp_path, table))


@pytest.mark.parametrize("name", ["none.csv", "none.tsv"])
def test_missing_table(tmp_path: Path, name: str) -> None:
    nifti, _ = write(tmp_path, "")
    with pytest.raises(InputError, match="does not exist"):
        read_atlas(nifti, tmp_path / name)


def test_empty_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a table"):
        read_atlas(*write(tmp_path, "", "own.csv"))


@pytest.mark.parametrize("value", [0.5, -1])
def test_no_label_map(tmp_path: Path, value: float) -> None:
    _, table = write(tmp_path, "index\tname\n3\tA\n")
    nib.save(nib.Nifti1Image(np.full((3, 3, 3), value, np.float32), np.eye(4)), tmp_path / "p.nii")
    with pytest.raises(InputError, match="not whole numbers from 0 up"):
        read_atlas(tmp_path / "p.nii", table)


def test_jhu_white_matter_as_a_users_atlas(shared_data: Path, tmp_path: Path) -> None:
    """A real second atlas, its names from another program's table."""
    source = shared_data / "atlases" / "label_names_clinica" / "atlas-JHUDTI81_dseg.tsv"
    rows = [line.split("\t") for line in source.read_text().splitlines()]
    index, name = rows[0].index("roi_value"), rows[0].index("roi_name")
    lines = [f"{row[index]}\t{row[name]}" for row in rows[1:] if row[index] != "0"]
    (tmp_path / "jhu.tsv").write_text("\n".join(["index\tname", *lines]) + "\n")
    atlas = read_atlas(
        shared_data / "atlases" / "neuroparc" / "JHU_space-MNI152NLin6_res-1x1x1.nii.gz", tmp_path / "jhu.tsv"
    )
    assert len(atlas.regions) == 48
