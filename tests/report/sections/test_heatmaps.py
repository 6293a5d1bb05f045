"""Scans are chosen by score alone, and what was not drawn is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.explained import explained
from pellucid.report.html.blocks import Picture
from pellucid.report.pictures.overlay import map_figure
from pellucid.report.sections.heatmaps import choose, heatmaps
from pellucid.rundir.run import open_run


def _watch(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Collect what pictures are drawn of, by their titles; they are drawn without relevance, which is quick."""
    drawn: dict[str, dict[str, Any]] = {}

    def draw(image: Any, relevance: Any, grid: Any, seen: Any, **how: Any) -> Any:
        drawn[how["title"]] = how
        return map_figure(image, 0 * relevance, grid, seen, title="")

    monkeypatch.setattr("pellucid.report.sections.heatmaps.map_figure", draw)
    return drawn


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = heatmaps(open_run(empty_run), empty_run / "figures")
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
    drawn = _watch(monkeypatch)
    section = heatmaps(open_run(copy), tmp_path / "figures")
    titles = list(drawn)
    assert titles[0] == "sub-0010 (MS), true positive: logit 7.25, probability 0.999, not calibrated"
    assert [title.split(", ")[1].split(":")[0] for title in titles] == [
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
    section = heatmaps(open_run(copy), copy / "figures")
    assert look.notes(section)
    assert not look.of(section, Picture)


def test_alarms_stand_on_the_picture_and_in_its_caption(
    copy: Path, look: Any, restate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, Logit=-1.0, Alarms=[], Sums={"GrossPerLogit": 8.0})
    alarm = "the map sums to -1, the logit is +7: another sign"
    restate(folder, "sub-0010", Logit=7.25, Alarms=[alarm], Sums={"GrossPerLogit": 45.0})
    drawn = _watch(monkeypatch)
    captions = {one.stem: str(one.caption) for one in look.of(heatmaps(open_run(copy), copy / "figures"), Picture)}
    (how,) = [how for title, how in drawn.items() if title.startswith("sub-0010")]
    assert (how["note"], how["alarms"]) == ("Gross relevance 45 times |logit|.", (alarm,))
    assert f"Alarm: {alarm}." in captions["heatmap-sub-0010"]
    assert all("Alarm" not in caption for stem, caption in captions.items() if stem != "heatmap-sub-0010")
