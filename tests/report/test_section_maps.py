"""Scans are chosen by score alone, and what was not drawn is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.files import read_tsv, write_tsv
from pellucid.report.blocks import Picture, Section
from pellucid.report.run import Run, open_run
from pellucid.report.section_maps import averages, choose, heatmaps


@pytest.mark.parametrize("make", [heatmaps, averages])
def test_what_is_missing_is_named_and_nothing_is_drawn(
    empty_run: Path, look: Any, make: Callable[[Run, Path], Section]
) -> None:
    section = make(open_run(empty_run), empty_run / "figures")
    assert any("maps" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_scans_are_chosen_by_score_alone(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert run.maps is not None
    assert run.maps.trial is not None
    store = run.store({"sub-0001"})
    assert store is not None
    table = run.maps.trial.predictions
    assert table is not None
    table = table[table["role"] == "holdout"].sort_values("logit", ascending=False)
    chosen = choose(run.maps, store)
    hits = [one.name for one in chosen if one.reason == "true positive"]
    assert hits == table[(table["label"] == 1) & (table["logit"] > 0)]["participant_id"].head(3).tolist()
    (control,) = [one for one in chosen if one.reason == "true negative"]
    assert control.name == table[table["label"] == 0]["participant_id"].iloc[-1]
    for one in chosen:
        assert store.table["participant_id"].iloc[one.row] == one.name


def test_the_surest_error_is_shown_and_called_what_it_is(copy: Path) -> None:
    path = copy / "models" / "finetuned" / "trial-00" / "predictions.tsv"
    table = read_tsv(path).set_index("participant_id")
    table.loc["sub-0003", "logit"] = -8.0
    table.loc["sub-0012", "logit"] = 9.0
    table.loc["sub-0007", "logit"] = -99.0  # of the training set: no matter, even with a map
    maps = copy / "maps" / "finetuned" / "lrp-epsilon"
    for path_of_map in list(maps.glob("sub-0001_*")):
        shutil.copy(path_of_map, maps / path_of_map.name.replace("sub-0001", "sub-0007"))
    write_tsv(path, table.reset_index())
    run = open_run(copy)
    assert run.maps is not None
    store = run.store({"sub-0001"})
    assert store is not None
    wrong = [one for one in choose(run.maps, store) if not one.reason.startswith("true")]
    assert [(one.name, one.reason, one.logit) for one in wrong] == [("sub-0012", "false alarm", 9.0)]
    table.loc["sub-0012", "logit"] = -9.0
    write_tsv(path, table.reset_index())
    run = open_run(copy)
    assert run.maps is not None
    wrong = [one for one in choose(run.maps, store) if not one.reason.startswith("true")]
    assert [(one.name, one.reason) for one in wrong] == [("sub-0003", "missed patient")]


def test_heatmaps_say_when_lesions_were_not_drawn(copy: Path, tmp_path: Path, look: Any) -> None:
    path = copy / "models" / "finetuned" / "trial-00" / "predictions.tsv"
    table = read_tsv(path).set_index("participant_id")
    table.loc["sub-0002", "logit"] = 20.0  # the patient without a mask
    write_tsv(path, table.reset_index())
    section = heatmaps(open_run(copy), tmp_path / "figures")
    captions = {picture.stem: str(picture.caption) for picture in look.of(section, Picture)}
    assert "No lesion mask." in captions["heatmap-sub-0002"]
    controls = [caption for caption in captions.values() if "group HC" in caption]
    assert all("lesion mask is empty" in caption for caption in controls)


def test_the_average_that_lacks_its_scans_is_said_to_be_missing(copy: Path, look: Any) -> None:
    shutil.rmtree(copy / "stores")
    section = averages(open_run(copy), copy / "figures")
    assert look.notes(section)
