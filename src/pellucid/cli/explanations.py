"""How the verbs print maps: what each sums to, its strongest regions, and what lesion masks say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.judgement import show_scan
from pellucid.ground.words import printable

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.trust.alarms import MapSums

TOP = 5  # regions printed for each scan; the table has all


def show_maps(lines: Iterable[tuple[str, MapSums]], tables: Mapping[str, Sequence[pd.DataFrame]]) -> None:
    """Print a line and the sums of each map, then what matters of the tables."""
    for line, sums in lines:
        console.say(printable(line))
        _show_sums(sums)
    several = len({table["method"].iloc[0] for table in tables["regions"]}) > 1
    for table in tables["regions"]:
        _show_regions(table, _named(table, several))
    for table in tables["lesions"]:
        show_scan(f"{_named(table, several)}: lesions", table)


def _named(table: pd.DataFrame, several: bool) -> str:
    """Return whose map a table is of, with the method where there are several."""
    image, method = Path(table["image"].iloc[0]).name, table["method"].iloc[0]
    return f"{image}, {method}" if several else image


def _show_sums(sums: MapSums) -> None:
    """Say what a map sums to beside its logit, and in red whatever is wrong with that."""
    from pellucid.trust.alarms import gross_words

    checked = "" if sums.alarms is not None else "; not checked, because the method has no ledger"
    console.say(
        f"  logit {sums.logit:+.3g}, the map sums to {sums.total:+.3g}, {gross_words(sums.gross_per_logit)}{checked}"
    )
    for sentence in sums.sentences():
        console.say(f"  ALARM: {sentence}", style="bold red")


def _show_regions(table: pd.DataFrame, name: str) -> None:
    """Print the regions of the largest relevance of one map."""
    top = table.loc[table["sum"].abs().sort_values(ascending=False).index[:TOP]]
    console.say("")
    console.show_table(
        (f"{name}: strongest regions", "relevance", "per voxel", "seen"),
        [
            (area["area"], f"{area['sum']:+.3g}", f"{area['mean']:+.2g}", f"{100 * area['seen_share']:.0f} %")
            for area in top.to_dict("records")
        ],
    )
