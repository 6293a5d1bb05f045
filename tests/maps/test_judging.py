"""`judge_map`: the lesion table of a map, and the tables of many."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.files import read_tsv
from pellucid.maps import explain_scan, judge_map, judge_maps
from pellucid.maps.judging import Judged


@pytest.fixture(scope="module")
def map_and_mask(arm: Path, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    out = tmp_path_factory.mktemp("maps")
    image, mask = scans / "images" / "sub-02_FLAIR.nii.gz", scans / "masks" / "sub-02_lesions.nii.gz"
    return explain_scan(image, arm, lesions=mask, out=out).files[0], mask


def test_a_map_is_judged_as_it_was_when_it_was_made(map_and_mask: tuple[Path, Path]) -> None:
    path, mask = map_and_mask
    table = judge_map(path, str(mask))
    made = read_tsv(path.with_name("lesions.tsv")).drop(columns=["image", "participant_id", "method"])
    columns = [column for column in made if column not in ("lesion_mask", "problems")]
    pd.testing.assert_frame_equal(table[columns], made[columns], check_dtype=False, rtol=1e-9)
    assert set(table["networks"]) == {"arm/trial-00"}
    assert judge_map(path, None)["auroc"].isna().all()


def judged(masks: dict[Path, Path | None], out: Path) -> Judged:
    return judge_maps(masks, out=out)


def test_maps_that_fail_are_named_and_the_others_judged(map_and_mask: tuple[Path, Path], tmp_path: Path) -> None:
    path, mask = map_and_mask
    missing = tmp_path / "sub-09_map.nii.gz"
    done = judged({path: mask, missing: None}, tmp_path / "out")
    assert list(done.tables) == [path]
    assert "does not exist" in done.ended.failed[missing]
    assert [file.name for file in done.files] == ["lesions.tsv", "lesions_summary.tsv", "lesions_compared.tsv"]
    assert len(read_tsv(done.files[0])) == len(done.every)


def test_where_all_fail_nothing_is_written(tmp_path: Path) -> None:
    done = judged({tmp_path / "none.nii": None}, tmp_path / "out")
    assert (done.tables, done.files) == ({}, ())
    assert not (tmp_path / "out").exists()


def test_an_interruption_writes_what_is_done_or_is_raised(
    map_and_mask: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mask = map_and_mask
    other = tmp_path / "sub-09_map.nii.gz"

    def interrupted(given: Path, *arguments: object, **options: object) -> pd.DataFrame:
        if given == other:
            raise KeyboardInterrupt
        return judge_map(given, *arguments, **options)

    monkeypatch.setattr("pellucid.maps.judging.judge_map", interrupted)
    done = judged({path: mask, other: None}, tmp_path / "out")
    assert isinstance(done.ended.stopped, KeyboardInterrupt)
    assert len(read_tsv(tmp_path / "out" / "lesions.tsv"))
    with pytest.raises(KeyboardInterrupt):
        judged({other: None}, tmp_path / "none")
