from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pellucid.atlas import neuromorphometrics as module
from pellucid.atlas.find import find_atlas
from pellucid.atlas.labels import Atlas
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.image.resample import resample_labels

# One voxel and a sheet of 22, of 1.5 mm: the paper's grid steps over them.
TOO_SMALL = {"Right vessel", "Optic Chiasm"}


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return find_atlas("neuromorphometrics")


@pytest.fixture(scope="module")
def spm(shared_data: Path) -> Path:
    return shared_data / "atlases_noncommercial"


def test_docstrings_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_136_labels_make_the_papers_68_areas(atlas: Atlas) -> None:
    assert list(atlas.regions) == ["index", "name", "area"]
    assert len(atlas.regions) == 136
    members = atlas.regions.groupby("area")["index"].agg(list).to_dict()
    assert len(members) == 68
    assert members["Cerebellum"] == [38, 39, 40, 41]
    assert members["Lateral ventricles"] == [49, 50, 51, 52]
    assert members["Vermal lobules"] == [71, 72, 73]
    assert members["Ventral diencephalon"] == [61, 62]
    assert members["Cerebral white matter"] == [44, 45]
    assert {k: members[k] for k in members if len(members[k]) == 1} == {
        "Brain stem": [35],
        "CSF": [46],
        "3rd ventricle": [4],
        "4th ventricle": [11],
        "Optic chiasm": [69],
    }
    assert Counter(map(len, members.values())) == {1: 5, 2: 60, 3: 1, 4: 2}


def test_the_papers_words_for_the_same_areas(atlas: Atlas) -> None:
    papers = find_atlas("neuromorphometrics", merge="paper")
    np.testing.assert_array_equal(papers.labels, atlas.labels)
    assert papers.dropped == ()
    words = dict(zip(papers.regions["area"], atlas.regions["area"], strict=True))
    assert len(words) == papers.regions["area"].nunique() == 68
    assert {theirs: ours for theirs, ours in words.items() if theirs != ours} == {
        "3rd Ventricle": "3rd ventricle",
        "4th Ventricle": "4th ventricle",
        "Brain Stem": "Brain stem",
        "CWM": "Cerebral white matter",
        "Diencephalon": "Ventral diencephalon",
        "Inf. Lat. Ventricles": "Lateral ventricles",
        "Optic Chiasm": "Optic chiasm",
        "Vermal Lobules": "Vermal lobules",
    }


def test_a_pair_is_the_left_and_the_right_of_one_name(atlas: Atlas) -> None:
    for area, rows in atlas.regions.groupby("area"):
        if len(rows) == 2:
            right, left = sorted(rows["name"], reverse=True)
            assert right.removeprefix("Right ") == left.removeprefix("Left ")
            assert right != right.removeprefix("Right ")
            assert str(area).split(" ")[-1].lower() in f"{right.lower()} diencephalon"


def test_the_wheels_labels_are_spms(atlas: Atlas, spm: Path) -> None:
    root = ElementTree.parse(spm / "labels_Neuromorphometrics.xml").getroot()
    theirs = {int(label.findtext("index", "")): label.findtext("name", "") for label in root.iter("label")}
    ours = dict(zip(atlas.regions["index"], atlas.regions["name"], strict=True))
    assert ours == theirs
    volume = read_volume(spm / "labels_Neuromorphometrics.nii.gz")
    # The wheel's map is cropped; on SPM's grid it is the same, voxel by voxel.
    np.testing.assert_array_equal(resample_labels(atlas.labels, atlas.grid, volume.grid), volume.data)


def test_left_is_left(atlas: Atlas) -> None:
    for one, absent in ((atlas, set()), (atlas.on(PAPER_GRID), TOO_SMALL)):
        for index, name in zip(one.regions["index"], one.regions["name"], strict=True):
            voxels = np.argwhere(one.labels == index)
            assert (len(voxels) == 0) == (name in absent), name
            if name in absent:
                continue
            x = one.grid.world(voxels.mean(axis=0))[0]
            if name.startswith("Right "):
                assert x > 0, name
            elif name.startswith("Left "):
                assert x < 0, name
            else:
                assert abs(x) < 3, name


def test_the_papers_network_sees_what_the_fact_sheet_says(atlas: Atlas) -> None:
    labels = atlas.on(PAPER_GRID).labels
    seen = np.zeros(PAPER_GRID.shape, bool)
    seen[:71, :98, :71] = True

    def share(*names: str) -> float:
        index = atlas.regions.loc[atlas.regions["name"].isin(names), "index"]
        assert len(index) == len(names)
        return float(seen[np.isin(labels, index)].mean())

    # The fact sheet zoomed the labels without their affine, hence the tolerance.
    assert float(seen[labels > 0].mean()) == pytest.approx(0.849, abs=0.015)
    assert share("Right FRP frontal pole", "Left FRP frontal pole") == 0
    assert share("Left ITG inferior temporal gyrus") == pytest.approx(0.16, abs=0.06)
    assert share("Right ITG inferior temporal gyrus") == 1
    assert share("Left PrG precentral gyrus") == pytest.approx(0.32, abs=0.06)
    assert share("Right PrG precentral gyrus") == pytest.approx(0.72, abs=0.06)
    assert share("Right Thalamus Proper", "Left Thalamus Proper") == 1


def test_resampling_keeps_the_volume_of_nearly_every_area(atlas: Atlas) -> None:
    on_paper = atlas.on(PAPER_GRID)
    change = []
    for _, rows in atlas.regions.groupby("area"):
        before = np.isin(atlas.labels, rows["index"]).sum() * atlas.grid.voxel_volume_ml
        after = np.isin(on_paper.labels, rows["index"]).sum() * PAPER_GRID.voxel_volume_ml
        change.append(abs(after / before - 1))
    assert np.median(change) < 0.02
    assert np.mean(np.array(change) < 0.1) > 0.9  # flat areas gain or lose a slice
