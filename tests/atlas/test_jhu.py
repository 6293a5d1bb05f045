from __future__ import annotations

import doctest
import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pellucid.atlas import jhu as module
from pellucid.atlas.find import available_atlases, find_atlas
from pellucid.atlas.jhu import download_jhu, table
from pellucid.atlas.labels import Atlas
from pellucid.ground.errors import InputError
from pellucid.ground.files import sha256
from pellucid.image.grid import MNI_1MM, MNI_2MM, PAPER_GRID, Grid
from pellucid.image.nifti import read_volume, write_volume

NAME = "jhu-icbm-dti-81"
NEUROPARC = "JHU_space-MNI152NLin6_res-1x1x1.nii.gz"

PAPER_AREAS = {
    "Middle cerebellar ped.": [1, 2],
    "Corpus callosum": [3, 4, 5],
    "Fornix": [6],
    "Corticospinal tract": [7, 8],
    "Med. lemniscus": [9, 10],
    "Inf. cerebellar ped.": [11, 12],
    "Sup. cerebellar ped.": [13, 14],
    "Cerebral peduncle": [15, 16],
    "Ant. limb int. capsule": [17, 18],
    "Post. limb int. capsule": [19, 20],
    "Retrolent. int. capsule": [21, 22],
    "Ant. corona radiata": [23, 24],
    "Sup. corona radiata": [25, 26],
    "Post. corona radiata": [27, 28],
    "Post. thalamic radiation": [29, 30],
    "Sagittal stratum": [31, 32],
    "External capsule": [33, 34],
    "Cingulum": [35, 36, 37, 38],
    "Sup. longitud. fasc.": [41, 42],
    "Sup. fronto-occ. fasc.": [43, 44],
    "Uncinate": [45, 46],
    "Tapetum": [47, 48],
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PELLUCID_ATLASES", raising=False)
    monkeypatch.delenv("FSLDIR", raising=False)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    return shared_data / "atlases" / "neuroparc" / NEUROPARC


@pytest.fixture(scope="module")
def atlas(real: Path) -> Atlas:
    return find_atlas(real)


def blocks(labels: int = 48) -> np.ndarray:
    """Return a map on the 2 mm grid with one small block a label: odd ones from 7 on right, even ones left."""
    out = np.zeros(MNI_2MM.shape, np.uint8)
    for label in range(1, labels + 1):
        i = 45 if label < 7 else 30 if label % 2 else 60
        out[i : i + 2, 30 + label, 40:42] = label
    return out


def write(path: Path, labels: np.ndarray, grid: Grid = MNI_2MM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, labels, grid, np.uint8)
    return path


def test_docstrings_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_48_labels_make_23_areas_of_ours() -> None:
    ours = table()
    assert ours["index"].tolist() == list(range(1, 49))
    assert ours["name"].is_unique
    members = ours.groupby("area")["index"].agg(list).to_dict()
    assert len(members) == 23
    assert members["Fornix crus / stria terminalis"] == [39, 40]
    assert members["Fornix, column and body"] == [6]
    # Otherwise the areas have the paper's members.
    assert sorted(members.values()) == sorted([*PAPER_AREAS.values(), [39, 40]])


def test_46_labels_make_the_papers_22_areas() -> None:
    papers = table("paper")
    assert papers.dropna().groupby("area")["index"].agg(list).to_dict() == PAPER_AREAS
    assert papers.loc[papers["area"].isna(), "index"].tolist() == [39, 40]


def test_names_are_fsls(shared_data: Path) -> None:
    root = ElementTree.parse(shared_data / "atlases" / "JHU-labels.xml").getroot()
    theirs = {}
    for label in root.iter("label"):
        name = label.get("name", "").strip()
        sides = {"R": "right ", "L": "left "}
        side = sides.get(name[-1], "") if name[-2:-1] == " " else ""
        theirs[int(label.get("index", ""))] = side + (name[:-2] if side else name).lower()
    for index, name in zip(table()["index"], table()["name"], strict=True):
        words = [w for w in re.findall(r"[a-z-]+", name.lower()) if w not in ("and", "crus")]
        assert [w for w in words if w not in theirs[index]] == [], (name, theirs[index])


def test_the_real_map(atlas: Atlas) -> None:
    assert atlas.grid.matches(MNI_1MM)
    assert len(atlas.regions) == 48
    assert atlas.regions["area"].nunique() == 23
    assert atlas.dropped == ()
    assert set(np.unique(atlas.labels)) == set(range(49))


def test_the_papers_merge_says_what_it_drops(real: Path, atlas: Atlas) -> None:
    papers = find_atlas(real, merge="paper")
    assert len(papers.regions) == 46
    assert papers.regions["area"].nunique() == 22
    assert papers.regions.index.tolist() == list(range(46))
    assert [(one.label, one.voxels) for one in papers.dropped] == [(39, 1124), (40, 1125)]
    np.testing.assert_array_equal(papers.labels, np.where(np.isin(atlas.labels, [39, 40]), 0, atlas.labels))
    assert papers.on(PAPER_GRID).dropped == papers.dropped


@pytest.mark.parametrize("paper", [False, True], ids=["own grid", "paper's grid"])
def test_left_is_left_and_no_label_vanishes(atlas: Atlas, paper: bool) -> None:
    one = atlas.on(PAPER_GRID) if paper else atlas
    x = {}
    for index, name in zip(one.regions["index"], one.regions["name"], strict=True):
        voxels = np.argwhere(one.labels == index)
        assert len(voxels), name
        x[name] = one.grid.world(voxels.mean(axis=0))[0]
    for name, at in x.items():
        if name.startswith("Right "):
            assert at > 0 > x[name.replace("Right ", "Left ")], name
            assert at + x[name.replace("Right ", "Left ")] == pytest.approx(0, abs=4), name
        elif not name.startswith("Left "):
            assert abs(at) < 2, name


@pytest.mark.parametrize("how", ["voxels", "header"])
def test_a_mirrored_copy_is_refused(tmp_path: Path, how: str) -> None:
    affine = MNI_2MM.affine
    affine[0] = -affine[0]
    labels, grid = (blocks()[::-1], MNI_2MM) if how == "voxels" else (blocks(), Grid.of(MNI_2MM.shape, affine))
    path = write(tmp_path / "JHU-ICBM-labels-2mm.nii.gz", labels, grid)
    with pytest.raises(InputError, match=r"42 of 42 labels .* other side \(Right corticospinal tract at x = -\d+ mm"):
        find_atlas(path)


def test_a_single_pair_that_is_swapped_is_refused(tmp_path: Path) -> None:
    labels = blocks()
    labels[np.isin(blocks(), [17])], labels[np.isin(blocks(), [18])] = 18, 17
    path = write(tmp_path / "JHU-ICBM-labels-2mm.nii.gz", labels)
    with pytest.raises(InputError, match=r"2 of 42 labels .*Right anterior limb of internal capsule"):
        find_atlas(path)


@pytest.mark.parametrize("labels", [47, 50])
def test_another_edition_is_refused(tmp_path: Path, labels: int) -> None:
    path = write(tmp_path / "JHU-ICBM-labels-2mm.nii.gz", blocks(labels))
    with pytest.raises(InputError, match=rf"holds {labels} labels from 1 to {labels}, not the 48"):
        find_atlas(path)


def test_found_in_the_users_folder_then_in_fsl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_fsl = write(tmp_path / "fsl" / "data" / "atlases" / "JHU" / "JHU-ICBM-labels-2mm.nii.gz", blocks())
    monkeypatch.setenv("FSLDIR", str(tmp_path / "fsl"))
    assert len(find_atlas(NAME).regions) == 48
    assert {a.name: a.path for a in available_atlases()}[NAME] == in_fsl
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path / "own"))
    assert {a.name: a.path for a in available_atlases()}[NAME] == in_fsl
    for name in ("JHU-ICBM-labels-2mm.nii.gz", NEUROPARC, "JHU-ICBM-labels-1mm.nii"):  # each is preferred to the last
        own = write(tmp_path / "own" / name, blocks())
        listed = available_atlases()
        assert {a.name: a.path for a in listed}[NAME] == own
        assert [a.name for a in listed].count(own.name.split(".")[0]) == 0  # it needs no table and is listed once
        assert len(find_atlas(NAME, merge="paper").regions) == 46


def test_without_the_file_the_error_says_three_ways() -> None:
    with pytest.raises(InputError, match=r"FSLDIR .*PELLUCID_ATLASES .*JHU-ICBM-labels-1mm\.nii\.gz.*download_jhu"):
        find_atlas(NAME)
    listed = {a.name: a for a in available_atlases()}
    assert listed[NAME].path is None
    assert "download_jhu" in listed[NAME].note


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is served in the place of the real one."""
    served = write(tmp_path / "server" / NEUROPARC, blocks())
    monkeypatch.setattr(module, "URL", served.as_uri())
    monkeypatch.setattr(module, "SHA256", sha256(served))
    return served


def test_download(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "atlases"
    path = download_jhu(folder)
    assert path == folder / NEUROPARC
    assert [p.name for p in folder.iterdir()] == [NEUROPARC]
    monkeypatch.setenv("PELLUCID_ATLASES", str(folder))
    assert len(find_atlas(NAME).regions) == 48
    server.unlink()
    assert download_jhu() == path  # it is there: no server is asked


def test_download_replaces_a_damaged_file(server: Path, tmp_path: Path) -> None:
    (tmp_path / NEUROPARC).write_bytes(b"half of it")
    assert sha256(download_jhu(tmp_path)) == sha256(server)


def test_download_of_something_else_leaves_nothing(server: Path, tmp_path: Path) -> None:
    server.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"the 43 downloaded bytes are not the file: their SHA-256 is not"):
        download_jhu(tmp_path / "atlases")
    assert not (tmp_path / "atlases").exists()


def test_download_without_a_server_or_a_place(server: Path, tmp_path: Path) -> None:
    server.unlink()
    with pytest.raises(InputError, match=r"cannot be downloaded .*Download it in a browser"):
        download_jhu(tmp_path)
    with pytest.raises(InputError, match=r"PELLUCID_ATLASES: is not set"):
        download_jhu()


def test_finding_never_downloads(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_ATLASES", str(tmp_path))
    with pytest.raises(InputError, match="not on this machine"):
        find_atlas(NAME)
    available_atlases()
    assert [p.name for p in tmp_path.iterdir()] == ["server"]


def test_the_checksum_is_the_real_files(real: Path) -> None:
    assert hashlib.sha256(real.read_bytes()).hexdigest() == module.SHA256
    assert module.URL.startswith("https://")
    assert read_volume(real).data.max() == 48
