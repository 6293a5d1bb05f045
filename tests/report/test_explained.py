"""Verdicts are those of the explained logit, of the scans that have a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.report.explained import COLUMNS, alarm_note, explained
from pellucid.rundir.run import open_run


def test_a_scan_is_judged_by_the_logit_that_its_map_explains(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, Logit=2.0)
    restate(folder, "sub-0001", Logit=-0.5)
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    table = explained(run.maps, store).set_index("name")
    assert table["group"].to_dict() == {"sub-0001": "HC", "sub-0002": "MS", "sub-0007": "HC", "sub-0010": "MS"}
    assert table.index[~table["correct"]].tolist() == ["sub-0007"]
    assert store.table["participant_id"].iloc[table.loc["sub-0010", "row"]] == "sub-0010"
    assert table.loc["sub-0010", "path"].name.startswith("sub-0010_space-")
    next(folder.glob("sub-0010_*.json")).unlink()
    assert "sub-0010" not in set(explained(run.maps, store)["name"])
    for path in folder.glob("*.json"):
        path.unlink()
    none = explained(run.maps, store)
    assert none.columns.tolist() == list(COLUMNS)
    assert none[none["correct"]].empty


def test_captions_say_what_sidecars_say_of_sums_and_alarms(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    restate(folder, "sub-0001", Sums={"GrossPerLogit": 357.4}, Alarms=["the biases absorbed +9, more than all"])
    restate(folder, "sub-0002", Sums={"GrossPerLogit": None}, Alarms=[])
    restate(folder, "sub-0007", Sums={"GrossPerLogit": 3.0}, Alarms=None)
    run = open_run(copy)
    assert run.maps is not None
    store = run.store(run.maps)
    assert store is not None
    table = explained(run.maps, store).set_index("name")
    assert [alarm_note(table.loc[f"sub-000{n}"].to_dict()) for n in (1, 2, 7)] == [
        "Gross relevance 357 times |logit|. Alarm: the biases absorbed +9, more than all.",
        "Gross relevance n/a: the logit is 0.",
        "Gross relevance 3.0 times |logit|. It is unknown whether it adds up: it has no ledger.",
    ]
