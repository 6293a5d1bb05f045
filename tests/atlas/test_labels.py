from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pellucid.atlas.find import find_atlas
from pellucid.atlas.labels import drop_labels, read_atlas
from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_2MM, PAPER_GRID, Grid
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
        ("index\tname\n3\tA\n", r"does not contain 1 labels of .*own\.nii\.gz: 14175"),
        ("label\tname\n3\tA\n", "lacks the columns index; it has label, name"),
        ("index\tname\n3\tA\n14175\tB\n3\tC\n", "names labels twice: 3"),
        ("index\tname\n3\tA\n14175\tn/a\n", "a row of the atlas table lacks its name"),
        ("index\tname\n3\tA\n14175\t \n", "a row of the atlas table lacks its name"),
        ("index\tname\tarea\n3\tA\tA\n14175\tB\t\n", "lacks its name or area"),
        ("index\tname\tarea\n3\tA\tA\n14175\tB\tn/a\n", "lacks its name or area"),
        ("index\tname\n3\tA\n14175\tB\n-1\tC\n", "an index is not a whole number from 0 up"),
        ("index\tname\n3.5\tA\n14175\tB\n", "an index is not a whole number"),
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


def test_probabilistic_atlas(tmp_path: Path) -> None:
    _, table = write(tmp_path, "index\tname\n3\tA\n")
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 2), np.uint8), np.eye(4)), tmp_path / "p.nii")
    with pytest.raises(InputError, match=r"4 dimensions \(3x4x5x2\), not 3\. .*not a probabilistic atlas"):
        read_atlas(tmp_path / "p.nii", table)


def test_whole_numbers_stored_as_float_are_labels(tmp_path: Path) -> None:
    nifti, table = write(tmp_path, "index\tname\n3\tA\n14175\tB\n")
    write_volume(nifti, LABELS, MNI_2MM, np.float32)
    np.testing.assert_array_equal(read_atlas(nifti, table).labels, LABELS)


def test_the_background_may_have_a_row(tmp_path: Path) -> None:
    atlas = read_atlas(*write(tmp_path, "index\tname\tarea\n0\tUnclassified\t\n3\tA\tX\n14175\tB\tX\n"))
    assert atlas.regions.to_dict("list") == {"index": [3, 14175], "name": ["A", "B"], "area": ["X", "X"]}


@pytest.mark.parametrize("shift", [(0, 40, 0), (0, 0, 40), (-72, -109, -72)], ids=["anterior", "superior", "corner"])
def test_another_space(tmp_path: Path, shift: tuple[int, int, int]) -> None:
    whole = find_atlas("neuromorphometrics")
    affine = whole.grid.affine
    affine[:3, 3] += shift
    write_volume(tmp_path / "a.nii.gz", whole.labels, Grid.of(whole.grid.shape, affine), np.int16)
    whole.regions.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"a\.nii\.gz: only \d+% of its labelled voxels .* Give an atlas in MNI152"):
        find_atlas(tmp_path / "a.nii.gz")


def test_an_atlas_of_the_cerebellum_alone_is_in_mni_space(tmp_path: Path) -> None:
    whole = find_atlas("neuromorphometrics")
    cerebellum = whole.regions[whole.regions["area"].isin(["Cerebellum", "Vermal lobules"])]
    part = np.where(np.isin(whole.labels, cerebellum["index"]), whole.labels, 0)
    write_volume(tmp_path / "a.nii.gz", part, whole.grid, np.int16)
    cerebellum.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    assert len(find_atlas(tmp_path / "a.nii.gz").regions) == 7


def test_a_mirrored_atlas_of_the_users(tmp_path: Path) -> None:
    nifti, table = write(tmp_path, "index\tname\n3\tLeft A\n14175\tRight A\n")
    with pytest.raises(InputError, match=r"2 of 2 labels named right or left .* \(Left A at x = 41 mm; right is pos"):
        read_atlas(nifti, table)


def test_one_odd_label_among_many_is_no_mirror(tmp_path: Path) -> None:
    nifti, table = write(tmp_path, "index\tname\n3\tRight A\n14175\tA to the right\n")
    assert len(read_atlas(nifti, table).regions) == 2


def test_labels_without_an_area_are_dropped_and_said_to_be(tmp_path: Path) -> None:
    whole = read_atlas(*write(tmp_path, "index\tname\n3\tA\n14175\tB\n"))
    rest = drop_labels(replace(whole, regions=whole.regions.assign(area=[None, "B"])))
    assert rest.regions["index"].tolist() == [14175]
    assert rest.dropped == ((3, "A", 1000),)
    np.testing.assert_array_equal(rest.labels, np.where(np.equal(LABELS, 3), 0, LABELS))
    assert drop_labels(whole).dropped == ()


def test_another_programs_table_as_a_users_atlas(shared_data: Path, tmp_path: Path) -> None:
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
