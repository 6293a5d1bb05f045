"""Scans are chosen by score alone, and what was not drawn is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runs import change_explain, change_spec

from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.report.explained import explained
from pellucid.report.html.blocks import Picture, Section
from pellucid.report.sections.maps import averages, choose, heatmaps
from pellucid.rundir.run import Run, open_run


@pytest.mark.parametrize("make", [heatmaps, averages])
def test_what_is_missing_is_named_and_nothing_is_drawn(
    empty_run: Path, look: Any, make: Callable[[Run, Path], Section]
) -> None:
    section = make(open_run(empty_run), empty_run / "figures")
    assert any("maps" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_scans_are_chosen_by_the_explained_logit_alone(finished_run: Path) -> None:
    run = open_run(finished_run)
    assert run.maps is not None
    assert run.maps.trial is not None
    store = run.store(run.maps)
    assert store is not None
    table = run.maps.trial.predictions
    assert table is not None
    table = table[table["role"] == "holdout"].sort_values("logit", ascending=False)
    chosen = choose(explained(run.maps, store))
    hits = [one.name for one in chosen if one.reason == "true positive"]
    assert hits == table[(table["label"] == 1) & (table["logit"] > 0)]["participant_id"].tolist() != []
    (error,) = [one for one in chosen if one.reason == "false alarm"]
    assert error.name == table[table["label"] == 0]["participant_id"].iloc[0]
    for one in chosen:
        assert store.table["participant_id"].iloc[one.row] == one.name


def test_the_surest_error_is_shown_and_called_what_it_is(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"

    def wrong() -> list[tuple[str, str, float]]:
        run = open_run(copy)
        assert run.maps is not None
        store = run.store(run.maps)
        assert store is not None
        found = choose(explained(run.maps, store))
        return [(one.name, one.reason, one.logit) for one in found if not one.reason.startswith("true")]

    restate(folder, "sub-0002", Logit=-8.0)
    restate(folder, "sub-0007", Logit=9.0)
    assert wrong() == [("sub-0007", "false alarm", 9.0)]
    restate(folder, "sub-0007", Logit=-9.0)
    restate(folder, "sub-0001", Logit=-9.0)
    assert wrong() == [("sub-0002", "missed patient", -8.0)]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("../../../models/finetuned/trial-00", "the explained model, trial-00 of arm finetuned."),
        (["../../../models/finetuned/trial-00", "../../../models/finetuned/trial-01"], "means over the 2 models"),
        (None, "the model of arm finetuned that a map explains."),
    ],
)
def test_logit_and_verdict_are_those_of_the_explained_models(
    copy: Path, tmp_path: Path, look: Any, restate: Any, monkeypatch: pytest.MonkeyPatch, model: object, said: str
) -> None:
    """Of another trial than the selected one, of several, and of another in each fold."""
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, Logit=-1.0, Model=model or "../../../models/finetuned/trial-00")
    if model is None:
        restate(folder, "sub-0010", Model="../../../models/finetuned/trial-01")
    restate(folder, "sub-0010", Logit=7.25)
    titles: list[str] = []
    monkeypatch.setattr(f"{heatmaps.__module__}.draw_map", lambda *_, title, **__: titles.append(title))
    section = heatmaps(open_run(copy), tmp_path / "figures")
    assert titles[0] == "sub-0010 (MS), true positive: logit 7.25, probability 0.999, not calibrated"
    assert [title.split(", ")[1].split(":")[0] for title in titles[::2]] == [
        "true positive",
        "missed patient",
        "true negative",
    ]
    assert said in look.words(section)


def test_heatmaps_say_when_lesions_were_not_drawn(copy: Path, tmp_path: Path, look: Any) -> None:
    table = read_tsv(copy / "stores" / "ms" / "table.tsv")
    table.loc[table["participant_id"] == "sub-0002", "has_lesion_mask"] = False
    write_tsv(copy / "stores" / "ms" / "table.tsv", table)
    section = heatmaps(open_run(copy), tmp_path / "figures")
    captions = {picture.stem: str(picture.caption) for picture in look.of(section, Picture)}
    assert "No lesion mask." in captions["heatmap-sub-0002"]
    assert "Yellow: lesion outline." in captions["heatmap-sub-0010"]


def test_maps_that_state_no_logit_are_not_shown(copy: Path, look: Any) -> None:
    for path in (copy / "maps").rglob("*_relevance.json"):
        path.unlink()
    for make in (heatmaps, averages):
        section = make(open_run(copy), copy / "figures")
        assert look.notes(section)
        assert not look.of(section, Picture)


@pytest.mark.parametrize("correct", [False, True])
def test_an_average_is_of_the_scans_that_its_map_was_made_of(
    copy: Path, look: Any, restate: Any, monkeypatch: pytest.MonkeyPatch, correct: bool
) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, Logit=-3.0)
    restate(folder, "sub-0010", Logit=3.0)
    if correct:
        restate(folder, "group-MS", Scans=1)
        change_spec(copy, lambda spec: change_explain(spec, averages="correct"))
    beneath: dict[str, Any] = {}
    monkeypatch.setattr(f"{heatmaps.__module__}.draw_map", lambda scan, *_, title, **__: beneath.update({title: scan}))
    run = open_run(copy)
    patients, controls = look.of(averages(run, copy / "figures"), Picture)
    which = "correctly classified held-out scans" if correct else "held-out scans"
    number_of = 1 if correct else 2
    assert f"the {number_of} {which} of group MS, over" in patients.caption
    assert f"the 2 {which} of group HC, over" in controls.caption
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    whom = [9] if correct else [1, 9]  # rows of sub-0002 and sub-0010
    np.testing.assert_allclose(
        beneath[f"MS: mean relevance of {number_of} {which}"], store.images[whom].mean(axis=0), atol=1e-5
    )


def test_an_average_of_other_scans_than_are_known_is_missing(copy: Path, look: Any, restate: Any) -> None:
    restate(copy / "maps" / "finetuned" / "lrp-epsilon", "group-MS", Scans=5)
    section = averages(open_run(copy), copy / "figures")
    assert ["average of MS. Its sidecar states 5 scans, but 2" in note for note in look.notes(section)] == [True]
    assert [picture.stem for picture in look.of(section, Picture)] == ["average-HC"]


def test_a_group_is_named_by_its_sidecar_else_by_its_file(copy: Path, look: Any, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    for path in folder.glob("group-HC_*"):
        path.rename(path.with_name(path.name.replace("group-HC", "group-healthycontrol")))
    restate(folder, "group-healthy", Group="healthy_control")
    for path in folder.glob("group-MS_*.json"):
        write_json(path, {key: value for key, value in read_json(path).items() if key != "Group"})
    table = read_tsv(copy / "stores" / "ms" / "table.tsv").replace({"group": {"HC": "healthy_control"}})
    write_tsv(copy / "stores" / "ms" / "table.tsv", table)
    pictures = look.of(averages(open_run(copy), copy / "figures"), Picture)
    assert [picture.stem for picture in pictures] == ["average-MS", "average-healthycontrol"]
    assert "of group healthy_control, over" in pictures[1].caption


def test_the_average_that_lacks_its_scans_is_said_to_be_missing(copy: Path, look: Any) -> None:
    shutil.rmtree(copy / "stores")
    section = averages(open_run(copy), copy / "figures")
    assert look.notes(section)


def test_alarms_stand_on_the_picture_and_in_its_caption(
    copy: Path, look: Any, restate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, Logit=-1.0, Alarms=[], Sums={"GrossPerLogit": 8.0})
    alarm = "the map sums to -1, the logit is +7: another sign"
    restate(folder, "sub-0010", Logit=7.25, Alarms=[alarm], Sums={"GrossPerLogit": 45.0})
    restate(folder, "group-MS", AlarmedMaps=1)
    drawn: dict[str, Any] = {}

    def draw(*_: object, title: str, note: str = "", alarms: tuple[str, ...] = (), **__: object) -> None:
        drawn[title[:8]] = note, alarms

    monkeypatch.setattr(f"{heatmaps.__module__}.draw_map", draw)
    run = open_run(copy)
    captions = {one.stem: str(one.caption) for one in look.of(heatmaps(run, copy / "figures"), Picture)}
    assert drawn["sub-0010"] == ("Gross relevance 45 times |logit|.", (alarm,))
    assert f"Alarm: {alarm}." in captions["heatmap-sub-0010"]
    assert all("Alarm" not in caption for stem, caption in captions.items() if stem != "heatmap-sub-0010")
    patients, controls = look.of(averages(run, copy / "figures"), Picture)
    assert "1 of these maps have an alarm of their ledger" in patients.caption
    assert "alarm" not in controls.caption
