from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from pellucid.atlas import harvard_oxford as module
from pellucid.atlas.find import find_atlas
from pellucid.atlas.harvard_oxford import THRESHOLD, most_probable
from pellucid.atlas.labels import Atlas, read_atlas
from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, PAPER_GRID
from pellucid.image.nifti import read_volume

CORTICAL = 48


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return find_atlas("harvard-oxford")


def test_docstrings_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_most_probable_is_the_argmax() -> None:
    maps = np.random.default_rng(5).integers(0, 60, (9, 5, 6, 7)).astype(np.uint8)  # ties are common
    expected = np.where(maps.max(axis=0) >= 40, maps.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(most_probable(iter(maps), 40), expected)


def test_113_labels_make_57_areas(atlas: Atlas) -> None:
    assert atlas.regions["index"].tolist() == list(range(1, 114))
    members = Counter(atlas.regions["area"])
    assert len(members) == 57
    assert [area for area, n in members.items() if n == 1] == ["Brain stem"]
    assert members["Lateral ventricle"] == 2  # the package's table misspells one of them
    assert members["Heschl's gyrus"] == 2
    assert set(np.unique(atlas.labels)) == set(range(114))
    for _, rows in atlas.regions.groupby("area"):
        assert len({name.split(" ", 1)[-1] for name in rows["name"]}) == 1


@pytest.mark.parametrize("paper", [False, True], ids=["own grid", "paper's grid"])
def test_left_is_left_and_no_label_vanishes(atlas: Atlas, paper: bool) -> None:
    one = atlas.on(PAPER_GRID) if paper else atlas
    for index, name in zip(one.regions["index"], one.regions["name"], strict=True):
        x = one.grid.world(np.argwhere(one.labels == index).mean(axis=0))[0]
        assert {"R": x > 0, "L": x < 0, "B": abs(x) < 2}[name[0]], name


def cortical(atlas: Atlas) -> npt.NDArray[np.int32]:
    """Return FSL's numbers of the cortical labels, left and right together, on the 1 mm grid."""
    labels = atlas.on(MNI_1MM).labels
    return np.where(labels <= 2 * CORTICAL, (labels + 1) // 2, 0)


def test_cortex_is_fsls(atlas: Atlas, shared_data: Path) -> None:
    ours = cortical(atlas)
    name = "HarvardOxfordcort-maxprob-thr25_space-MNI152NLin6_res-1x1x1.nii.gz"
    fsls = read_volume(shared_data / "atlases" / "neuroparc" / name).data
    for label in range(1, CORTICAL + 1):
        a, b = ours == label, fsls == label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.95, label


def test_cortex_without_threshold_says_the_same(atlas: Atlas, shared_data: Path) -> None:
    ours = cortical(atlas)
    whole = read_volume(shared_data / "atlases" / "HarvardOxford-cort-maxprob-thr0-1mm.nii.gz").data
    for label in range(1, CORTICAL + 1):
        # The most probable structure of a voxel is the same; without a threshold its border is further out.
        assert (whole[ours == label] == label).mean() > 0.999, label


SUBCORTICAL = "HarvardOxfordsub-maxprob-thr25_space-MNI152NLin6_res-1x1x1.nii.gz"


def test_subcortex_holds_fsls(atlas: Atlas, shared_data: Path) -> None:
    labels = atlas.on(MNI_1MM).labels
    fsls = read_volume(shared_data / "atlases" / "neuroparc" / SUBCORTICAL).data
    # The order of FSL's 21 maps: these without hemispheric white matter and cortex, which the package lacks.
    ours = [0, 0, 97, 98, 99, 100, 101, 102, 103, 104, 105, 0, 0, *range(106, 114)]
    for label, index in enumerate(ours, start=1):
        if index:
            a, b = labels == index, fsls == label
            assert b[a].sum() > 0.98 * b.sum(), index
            # Where FSL's white matter or cortex would win, ours is still the structure.
            assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.8, index


def test_neuroparcs_subcortical_names_are_refused(shared_data: Path, tmp_path: Path) -> None:
    """Its table has left and right the wrong way round."""
    folder = shared_data / "atlases" / "neuroparc"
    rows = (folder / "HarvardOxfordsub-maxprob.csv").read_text()
    (tmp_path / "sub.csv").write_text(f"index,name\n{rows}")
    with pytest.raises(InputError, match=r"20 of 20 labels named right or left lie on the other side"):
        read_atlas(folder / SUBCORTICAL, tmp_path / "sub.csv")


def test_the_paper_did_not_use_it() -> None:
    with pytest.raises(InputError, match=r"harvard-oxford: Eitel 2019 has no areas .* Leave merge at 'revised'"):
        find_atlas("harvard-oxford", merge="paper")


def test_maps_that_do_not_go_with_their_names(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((3, 3, 3, 2), THRESHOLD, np.uint8), np.eye(4)), tmp_path / "p.nii")
    with pytest.raises(InputError, match=r"shape \(3, 3, 3, 2\), not one map for each of the 113 names"):
        module.read(tmp_path / "p.nii", "revised")
