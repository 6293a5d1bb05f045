"""How maps find lesions, each measure paired with the best map that knows nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.ground.numbers import number, percent
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, over_networks, records, twofold
from pellucid.report.pictures.maps import lesion_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesion_summary import in_words
from pellucid.trust.nulls import NULLS

TABLE, SUMMARY = "tables/lesions.tsv", "tables/lesions_summary.tsv"
COMPARED, UNTAUGHT = "tables/lesions_compared.tsv", "tables/lesions_untaught.tsv"


def compared_with_nulls(run: Run) -> dict[str, dict[str, Any]]:
    """Return what tables/lesions_compared.tsv says of the map that the page shows, by measure; measured ones alone."""
    table = run.maps_table("lesions_compared")
    if table is None or table.empty:
        return {}
    method = run.maps.method if run.maps else table["map"].iloc[0]
    rows = records(table[(table["map"] == method) & (table["people"] > 0)])
    return {str(row["measure"]): row for row in rows}


def paired(row: Mapping[str, Any]) -> str:
    """Write a paired difference with its interval."""
    return f"{number(row['difference'])} [{number(row['low'])}, {number(row['high'])}]"


@page_section("lesions", title="Relevance inside lesions", order=150)
def lesions(run: Run, figures: Path) -> Section:
    """Return the comparison with the best nulls, the figures of all subjects and the table of medians."""
    section = Section("lesions", "Relevance inside lesions")
    table, summary = run.maps_table("lesions"), run.maps_table("lesions_summary")
    compared = run.maps_table("lesions_compared")
    for found, path in ((table, TABLE), (summary, SUMMARY), (compared, COMPARED)):
        if found is None:
            section.add(missing("How maps find lesions", path))
    if table is None or summary is None or compared is None:
        return section
    method = run.maps.method if run.maps else str(table["map"].iloc[0])
    who = run.positive or "all groups"
    section.add(Text(paragraphs=[_opening(run)]), *_unknown(compared))
    compared = compared[compared["measure"].isin(list(MEASURES))]
    if compared["people"].max() == 0:
        reasons = "; ".join(dict.fromkeys(table.loc[table["map"] == method, "reason"].dropna()))
        text = f"Nothing can be measured: {reasons or 'no lesion masks'}."
        section.add(Note(tone="missing", text=text))
        return section
    section.add(_comparison(compared, who), *_learned(run, method), *_figures(run, table, method, who, figures))
    section.add(_medians(run, summary, method, who), Text(paragraphs=_further(run, table, summary, method)))
    return section


def _opening(run: Run) -> str:
    return (
        "Lesions are bright on FLAIR, so a map that follows brightness finds them without a network. Therefore each "
        "map, and its absolute value, is compared with null maps that do not use the network: with the best of them "
        "by each measure, paired by participant. All are measured within the brain that the network can see. "
        + " ".join(measure.meaning for measure in MEASURES.values())
    )


def _unknown(compared: pd.DataFrame) -> list[Note]:
    """Name the measures that a module registered which is not loaded: nothing says here what they mean."""
    names = [str(name) for name in dict.fromkeys(compared["measure"]) if name not in MEASURES]
    text = f"Not shown, because they are not known here: {', '.join(names)}. Name the module of each with --plugin."
    return [Note(tone="remark", text=text)] if names else []


def _comparison(compared: pd.DataFrame, who: str) -> Table:
    rows: list[list[str | Markup]] = [
        [
            twofold(MEASURES[str(row["measure"])].title, str(row["map"])),
            in_words(row),
            number(row["map_value"]),
            twofold(number(row["null_value"]), str(row["best_null"])),
            number(row["scan_value"]),
            twofold(number(row["difference"]), f"[{number(row['low'])}, {number(row['high'])}]"),
            f"{row['wins']:.0f} of {row['people']:.0f}",
        ]
        for row in records(compared[compared["people"] > 0])
    ]
    left_out = int(compared["na"].max())
    return Table(
        header=["Measure, map", "In words", "The map", "Best null", "The scan", "Map less null", "More in"],
        rows=rows,
        caption=f"Each map and the best null by that measure, over the same held-out participants of group {who}. "
        "The null was selected on the same participants, which favours it. Medians (strongest voxel: means), the "
        "median of the paired differences with its 95 % interval "
        f"{over_networks(compared['networks'].dropna().astype(int))}, and the number of participants with a higher "
        "value of the map." + (f" Excluded, because nothing can be measured in them: {left_out}." if left_out else ""),
        sources=[COMPARED, TABLE],
        words=2,
    )


def _learned(run: Run, method: str) -> list[Text]:
    """Say what the map has more than those of networks that never learned from these people, subject by subject."""
    table = run.maps_table("lesions_untaught")
    said: list[str | Markup] = []
    for arm, network in run.untaught.items():
        rows = [] if table is None else records(table[(table["untaught"] == arm) & (table["map"] == method)])
        found = {str(row["measure"]): row for row in rows if row["people"] > 0}
        if found:
            parts = [
                f"{MEASURES[measure].title} {number(found[measure]['map_value'])} against "
                f"{number(found[measure]['untaught_value'])}, paired difference {paired(found[measure])}"
                for measure in ("average_precision", "lift")
            ]
            said.append(
                f"Compared with the same method on arm {arm} ({network}), over {found['lift']['people']:.0f} "
                f"participants: {'; '.join(parts)}. This difference was learned from the training participants of "
                "this cohort."
            )
    return [Text(paragraphs=said)] if said else []


def _figures(run: Run, table: pd.DataFrame, method: str, who: str, figures: Path) -> list[Picture]:
    """Draw average precision and lift of every subject for the map, its nulls, and maps of untaught networks."""
    others = run.untaught_table("lesions")
    every = pd.concat([table, *([] if others is None else [_renamed(others, method)])], ignore_index=True)
    patients = every if run.positive is None else every[every["group"] == run.positive]
    pictures, names = [], ", ".join(dict.fromkeys(patients["map"]))
    for measure, stem in (("average_precision", "lesions-precision"), ("lift", "lesions")):
        save(lesion_figure(patients, method, measure), figures / stem)
        name, row = MEASURES[measure].title, compared_with_nulls(run).get(measure)
        said = (
            "The map itself could be measured in no participant."  # none has positive relevance
            if row is None
            else f"The map: {in_words(row)}, paired difference {paired(row)} over {row['people']:.0f} participants."
        )
        triangles = " Triangles: no positive relevance inside lesions at all." if measure == "lift" else ""
        pictures.append(
            Picture(
                stem=stem,
                suffix=".svg",
                alt=f"Box plots with one dot per participant: {name} of {names}.",
                caption=f"{name.capitalize()} of each held-out participant of group {who} (dots; boxes: quartiles "
                f"and median).{triangles} {said}",
                sources=[TABLE, COMPARED],
            )
        )
    return pictures


def _renamed(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the rows of untaught networks' maps, called after their arms; their nulls are the same as the map's."""
    rows = table[table["map"] == method]
    return rows.assign(map=rows["arm"].map(_map_of))


def _map_of(arm: str) -> str:
    return f"map of {arm}"


def _medians(run: Run, summary: pd.DataFrame, method: str, who: str) -> Table:
    """Return the table of medians over the patients: map, absolute value, nulls, maps of untaught networks."""
    others = run.untaught_table("lesions_summary")
    every = pd.concat([summary, *([] if others is None else [_renamed(others, method)])], ignore_index=True)
    untaught = {_map_of(arm): f"the method on {network}" for arm, network in run.untaught.items()}
    meanings = {method: "the map", f"|{method}|": "its absolute value"} | untaught
    meanings |= {name: null.meaning for name, null in NULLS.items()}
    measures = [name for name in MEASURES if name in summary]
    rows: list[list[str | Markup]] = []
    for row in records(every if run.positive is None else every[every["group"] == run.positive]):
        name = str(row["map"])
        kind = "null: " if name in NULLS else "not taught: " if name in untaught else ""
        cells = [
            twofold(name, kind + meanings.get(name, "of a module that is not loaded")),
            *(_with_interval(row, measure) for measure in measures),
            f"{row['people']:.0f}",
        ]
        rows.append([Markup("<strong>{}</strong>").format(cell) for cell in cells] if name == method else [*cells])
    titles = [MEASURES[name].title for name in measures]
    return Table(
        header=["Map", *(f"{title[0].upper()}{title[1:]}" for title in titles), "Subjects"],
        rows=rows,
        caption=f"Medians over the held-out participants of group {who} with 95 % intervals "
        f"{over_networks(summary['networks'])}; means for measures that are 0 or 1 for a participant, such as the "
        "strongest voxel.",
        sources=[SUMMARY, TABLE],
    )


def _with_interval(row: Mapping[str, Any], measure: str) -> Markup:
    return twofold(number(row[measure]), _ends(row, measure))


def _ends(row: Mapping[str, Any], measure: str) -> str:
    return f"[{number(row[f'{measure}_low'], 2)}, {number(row[f'{measure}_high'], 2)}]"


def _further(run: Run, table: pd.DataFrame, summary: pd.DataFrame, method: str) -> list[str | Markup]:
    """Say what lies outside lesions, what lift could be at most, how controls do, and what could not be measured."""
    said: list[str | Markup] = []
    for row in records(summary[(summary["map"] == method) & (summary["people"] > 0)]):
        group = str(row["group"]) if "group" in row else "all"
        patients = run.positive in (None, group)
        said.append(
            f"Group {group}: {percent(1 - row['positive_share'])} of the map's positive relevance lies outside "
            f"lesions (median of {row['people']:.0f} held-out participants with a lesion; lesions fill "
            f"{percent(row['volume_share'], 2)} of the seen brain). Its lift is {number(row['lift'])}, of at most "
            f"{number(row['lift_ceiling'])}."
            + ("" if patients else " These are not patients: what the map finds in them is not due to the disease.")
        )
    own = table[(table["map"] == method) & table["auroc"].isna()]
    if len(own):
        reasons = own.groupby("reason", sort=False)["participant_id"].nunique()
        parts = "; ".join(f"{why}: {count}" for why, count in reasons.items())
        said.append(f"Excluded (not counted as 0), of all held-out participants: {parts}.")
    absent = table[table["map"].isin(NULLS) & ~table["map"].isin(table.loc[table["auroc"].notna(), "map"])]
    for why, rows in absent.groupby("reason", sort=False):
        said.append(f"Not measured: {', '.join(dict.fromkeys(rows['map']))} ({why}).")
    return said
