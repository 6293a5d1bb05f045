"""How the verbs print what lesion masks say of maps: each map beside the best null, measure by measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.ground.numbers import count, fixed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def show_scan(title: str, table: pd.DataFrame) -> None:
    """Print the lesion table of one scan: a row a measure, the map and its absolute value beside the best null."""
    from pellucid.trust.lesion_measures import MEASURES
    from pellucid.trust.lesion_summary import compare_with_nulls

    compared = compare_with_nulls(_named(table))
    console.say("")
    if compared["people"].max() == 0:
        maps = table[table["map"].isin(compared["map"])]
        console.say(f"{title}: n/a, {'; '.join(dict.fromkeys(maps['reason']))}")
        return
    names = list(dict.fromkeys(compared["map"]))
    measured = compared[compared["people"] > 0]["map"].iloc[0]
    by_map = compared.set_index(["measure", "map"]).to_dict("index")
    console.show_table(
        (title, *names, "best null", "its value", "lift's ceiling"),
        [
            (
                MEASURES[measure].title,
                *(_value(measure, by_map[measure, name]["map_value"]) for name in names),
                _null(by_map[measure, measured]),
                _value(measure, by_map[measure, measured]["null_value"]),
                fixed(table["lift_ceiling"].iloc[0], 1) if measure == "lift" else "",
            )
            for measure in dict.fromkeys(compared["measure"])
        ],
    )
    show_missing(table)


def show_people(table: pd.DataFrame) -> None:
    """Print what lesion tables of many scans say over people: each map less the best null, paired."""
    from pellucid.trust.lesion_measures import MEASURES
    from pellucid.trust.lesion_summary import compare_with_nulls, in_words

    compared = compare_with_nulls(_named(table)).to_dict("records")
    console.say("")
    console.show_table(
        ("medians over participants", "map", "its value", "best null", "its value", "paired", "more in", "in words"),
        [
            (
                MEASURES[str(row["measure"])].title,
                str(row["map"]),
                _value(str(row["measure"]), row["map_value"]),
                _null(row),
                _value(str(row["measure"]), row["null_value"]),
                _difference(row),
                f"{row['wins']} of {row['people']}",
                in_words(row),
            )
            for row in compared
        ],
    )
    console.say(
        "paired: median over participants of the map minus the null (strongest voxel: mean), with its 95 % interval. "
        "The best null is selected on the same participants, which favours it. "
        "Participants: all with a lesion, of any group"
    )
    left_out = max((row["na"] for row in compared), default=0)
    if left_out:
        console.say(f"n/a and excluded: {count(left_out, 'participant')}; lesions.tsv has the reasons")
    show_missing(table)


def show_missing(table: pd.DataFrame) -> None:
    """Name the maps and nulls that could not be made or measured where others were, and why."""
    measured = set(table.loc[table["auroc"].notna(), "map"])
    absent = table[~table["map"].isin(measured)]
    if measured:
        for reason, rows in absent.groupby("reason", sort=False):
            console.say(f"n/a: {', '.join(dict.fromkeys(rows['map']))}: {reason}")


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Let a file whose name tells no participant stand for a participant of its own."""
    if table["participant_id"].notna().all():
        return table
    file = next(column for column in ("image", "file") if column in table)
    return table.assign(participant_id=table["participant_id"].fillna(table[file]))


def _null(row: Mapping[Any, Any]) -> str:
    return row["best_null"] if isinstance(row["best_null"], str) else "n/a"


def _value(measure: str, value: float) -> str:
    from pellucid.trust.lesion_measures import MEASURES

    return fixed(value, MEASURES[measure].digits)


def _difference(row: Mapping[Any, Any]) -> str:
    middle, low, high = (_value(str(row["measure"]), row[name]) for name in ("difference", "low", "high"))
    return f"{middle} ({low} to {high})"
