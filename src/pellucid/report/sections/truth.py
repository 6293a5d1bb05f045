"""Of simulated people: whether maps find what was planted, beside the best map that knows nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pellucid.ground.numbers import number, percent, seen_share
from pellucid.report.html.blocks import Note, Section, Table, Text, over_networks, records, twofold
from pellucid.report.section_registry import text_section
from pellucid.rundir.run import Run
from pellucid.simulate.settings import CohortSettings

SUMMARY = "tables/truth_summary.tsv"

PLACES = {
    "lesionprior": "where patients' lesions are likely, most of them behind the middle of the ventricles",
    "callosum": "corpus callosum, thinner in patients",
    "thalamus": "thalami, smaller in patients",
    "ventricles": "ventricles, wider with age, and patients are older",
    "caps": "bright caps at the frontal horns, in all participants: a place without group difference",
    "artefact": "a fault of the coil, patients only",
}
"""What lies in the places of a simulated cohort; a strength of 0 in the specification takes the difference away."""


@text_section("truth", title="What the simulation planted", order=160)
def truth(run: Run) -> Section | None:
    """Return the table of relevance in planted places; None of a study whose people are real."""
    summary = run.maps_table("truth_summary")
    if summary is None or summary.empty:
        return None
    untaught = [arm for arm in run.untaught if f"lift_of_{arm}" in summary]
    networks = "; ".join(f"{arm}: {run.untaught[arm]}" for arm in untaught)
    beside = (
        f" It is also compared with the lifts of networks that were not trained on this cohort ({networks}). If such "
        "a network shows the same lift, the excess is not evidence of learning: it is due to the method, the anatomy "
        "or earlier training."
    )
    section = Section("truth", "What the simulation planted")
    section.add(
        Text(
            paragraphs=[
                "These participants are simulated, so it is known where patients differ from controls. A trustworthy "
                "map has relevance there, and none in places without a group difference. Lift is the share of "
                "positive relevance in a place divided by its share of the seen brain. It is compared with the lift "
                "of the best null, a map made from the scan alone; the null is selected on the same participants, "
                f"which favours it.{beside if untaught else ''}"
            ]
        ),
        Note(tone="warning", text=_blurred(run)),
        Table(
            header=[
                *("Place", "What was planted", "Seen", "Lift of the map", "Best null; difference"),
                *(f"Lift of {arm}; difference" for arm in untaught),
                *("Lift of the scan", "Above 0"),
            ],
            rows=[
                [
                    str(row["place"]),
                    PLACES.get(str(row["place"]), "an effect of the simulation"),
                    seen_share(row["seen_share"]),
                    twofold(number(row["lift"]), f"[{number(row['low'])}, {number(row['high'])}]"),
                    _beside(row, "best_null", f" {row['best_null'] or ''}"),
                    *(_beside(row, arm) for arm in untaught),
                    number(row["lift_of_scan"]),
                    percent(row["above_zero"], 0),
                ]
                for row in records(summary)
            ],
            caption=f"Medians over the held-out participants of group {run.positive}, with the 95 % interval of the "
            f"median {over_networks(summary['networks'])}; last column: number of participants with more positive "
            "than negative relevance in that place. A participant with several scans counts once. Second line in a "
            "cell: the paired difference, the map minus the other map; if its interval is not above 0, the map does "
            "not find that place better.",
            sources=[SUMMARY, "tables/truth.tsv"],
            words=2,
        ),
    )
    return section


def _blurred(run: Run) -> str:
    """Say what places cannot tell apart, by whether the cohort's patients have lesions of their own."""
    arm = run.maps.arm if run.maps else run.main_arm or ""
    simulate = run.spec.cohort_of(arm).simulate if run.spec and arm in run.arms else None
    said = (
        "Places are defined in the template. Heads differ from it in size and by a smooth warp, and are not "
        "registered to it, so a place also covers its neighbours."
    )
    if isinstance(simulate, CohortSettings) and simulate.lesions == 0:
        return (
            f"{said} Patients of this cohort have the same lesions as controls, so lesions do not separate the groups."
        )
    return (
        f"{said} So places of grey matter and ventricles contain lesions, and the corpus callosum has lesions in "
        "patients only. Relevance in callosum, thalami or ventricles may be due to lesions: only arms of a cohort "
        "simulated with `lesions = 0` can show callosum or thalamus."
    )


def _beside(row: Mapping[str, Any], name: str, whose: str = "") -> Markup:
    """Return a cell: another map's lift, and below it what the map has more, with the interval."""
    more, low, high = (number(row[f"more_than_{name}{end}"], 2) for end in ("", "_low", "_high"))
    return twofold(f"{number(row[f'lift_of_{name}'])}{whose}", twofold(more, f"[{low}, {high}]"))
