"""A run directory is read as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.image.grid import Grid
from pellucid.report.run import open_run, scan_name, seen_on, sidecar_sources


def test_everything_is_found(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert [(trial.arm, trial.name) for trial in run.trials][:2] == [
        ("pretraining", "trial-00"),
        ("finetuned", "trial-00"),
    ]
    assert len(run.trials) == 6
    assert run.maps is not None
    assert (run.maps.arm, run.maps.method) == ("finetuned", "lrp-epsilon")
    assert run.maps.trial is not None
    assert run.maps.trial.name == "trial-00"
    assert run.positive == "MS"
    assert run.simulated == ["ms"]
    assert run.verdict is not None
    assert run.maps.of("sub-0001") is not None
    assert run.maps.of("sub-000") is None
    assert run.maps.of("group-HC") is not None
    assert sidecar_sources(run)[0].startswith("maps/finetuned/lrp-epsilon/sub-0001_")


def test_the_field_of_view_is_what_the_sidecars_say(finished_run: Path) -> None:
    run = open_run(finished_run)
    store = run.store({"sub-0001"})
    assert store is not None
    seen = run.seen(store.grid)
    assert run.field_of_view is not None
    assert seen.mean() == pytest.approx(run.field_of_view["SeenShare"])
    stops = run.field_of_view["Stops"]
    assert seen[tuple(stop - 1 for stop in stops)]
    assert not seen[stops[0] :].any()


def test_the_store_is_chosen_by_its_participants(copy: Path) -> None:
    other = shutil.copytree(copy / "stores" / "ms", copy / "stores" / "a-pretraining")
    table = (other / "table.tsv").read_text().replace("sub-0", "sub-9")
    (other / "table.tsv").write_text(table)
    run = open_run(copy)
    chosen = run.store({"sub-0001", "sub-0002"})
    assert chosen is not None
    assert chosen.folder.name == "ms"
    assert run.store({"sub-7777"}) is None
    assert [name for name, _ in run.stores()] == ["a-pretraining", "ms"]


def test_an_empty_run_has_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    run = open_run(tmp_path)
    assert run.spec == {}
    assert run.spec_text == ""
    assert run.trials == []
    assert run.maps is None
    assert run.positive is None
    assert run.field_of_view is None
    assert run.splits is None
    assert run.verdict is None
    assert run.table("table2") is None
    assert sidecar_sources(run) == []


def test_without_sidecars_everything_counts_as_seen(copy: Path) -> None:
    for path in (copy / "maps").rglob("*.json"):
        path.unlink()
    run = open_run(copy)
    store = run.store({"sub-0001"})
    assert store is not None
    assert run.field_of_view is None
    assert np.all(run.seen(store.grid))


def test_maps_of_another_arm_than_the_asked_one_are_not_taken(copy: Path) -> None:
    shutil.copytree(copy / "maps" / "finetuned", copy / "maps" / "another")
    maps = open_run(copy).maps
    assert maps is not None
    assert maps.arm == "finetuned"
    (copy / "study.toml").unlink()
    first = open_run(copy).maps
    assert first is not None
    assert first.arm == "another"
    assert first.trial is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("record.json", "{", "not valid JSON"), ("record.json", "[]", "no record"), ("study.toml", "a =", "not TOML")],
)
def test_a_damaged_directory_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / "record.json").write_text(json.dumps({}))
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        open_run(tmp_path)


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run directory"):
        open_run(tmp_path)


def test_the_main_arm_is_the_first_that_is_explained(empty_run: Path) -> None:
    for text, arm in (('arms = ["b", "a"]', "b"), ("arms = []", None), ("", None)):
        (empty_run / "study.toml").write_text(f"[explain]\n{text}\n", encoding="utf-8")
        assert open_run(empty_run).main_arm == arm


def test_scans_are_named_as_in_bids() -> None:
    assert scan_name({"participant_id": "sub-01", "session_id": float("nan")}) == "sub-01"
    assert scan_name({"participant_id": "sub-01", "session_id": "ses-2"}) == "sub-01_ses-2"
    assert scan_name({"participant_id": "sub-01"}) == "sub-01"


def test_the_field_of_view_is_what_the_sidecar_says() -> None:
    grid = Grid.of((4, 4, 4), np.eye(4))
    mask = seen_on(grid, {"FieldOfView": {"Stops": [1, 2, 4]}})
    assert mask.sum() == 8
    assert mask[0, 1, 3]
    assert not mask[1, 0, 0]
    assert seen_on(grid, {}).all()
