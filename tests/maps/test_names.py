"""Names of maps and of all outputs: a scan's own, and no two alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.maps.names import map_name, picture_of, unique_names


@pytest.mark.parametrize(
    ("who", "method", "options", "name"),
    [
        ("sub-01", "lrp-epsilon", {}, "sub-01_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz"),
        ("sub-01", "gradient", {}, "sub-01_space-MNI152NLin6Asym_desc-gradient_relevance.nii.gz"),
        ("a", "input-x-gradient", {"res": "native"},
         "a_space-MNI152NLin6Asym_res-native_desc-inputXGradient_relevance.nii.gz"),
        ("group-MS", "lrp-epsilon", {"statistic": "mean"},
         "group-MS_space-MNI152NLin6Asym_desc-lrpEpsilonMean_relevance.nii.gz"),
    ],
)  # fmt: skip
def test_names_of_maps(who: str, method: str, options: dict, name: str) -> None:
    assert map_name(who, method, **options) == name


def test_the_picture_lies_beside_the_map() -> None:
    assert picture_of(Path("out/a_relevance.nii.gz")) == Path("out/a_relevance.png")


PARTS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4)


@given(st.lists(PARTS, min_size=1, max_size=6, unique_by=tuple))
def test_output_names_are_all_different(folders: list[list[str]]) -> None:
    paths = [Path("/data", *folder, "scan.nii.gz") for folder in folders]
    names = unique_names(paths)
    assert len(set(names.values())) == len(paths)
    assert all("/" not in name for name in names.values())


def test_output_names_are_the_inputs_own_where_they_can_be() -> None:
    paths = [Path("/a/x/sub-01_FLAIR.nii.gz"), Path("/a/y/sub-01_FLAIR.nii.gz"), Path("/a/x/sub-02_FLAIR.nii")]
    assert list(unique_names(paths).values()) == ["x-sub-01_FLAIR", "y-sub-01_FLAIR", "sub-02_FLAIR"]
    twins = [Path("/a/s.nii"), Path("/a/s.nii.gz")]
    assert len(set(unique_names(twins).values())) == 2


def test_names_that_earlier_results_have_are_kept_and_not_given_to_others(tmp_path: Path) -> None:
    one, two = tmp_path / "x" / "scan.nii", tmp_path / "y" / "scan.nii"
    assert unique_names([two], taken={one: "scan"}) == {two: "y-scan"}
    assert unique_names([one, two], taken={one: "scan"}) == {one: "scan", two: "y-scan"}
    assert unique_names([one], taken={one: "x-scan", two: "scan"}) == {one: "x-scan"}
