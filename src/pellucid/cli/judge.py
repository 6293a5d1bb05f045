"""`pellucid judge`: how good relevance maps are, against lesion masks and null maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.explain import show_lesions

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: pellucid judge demo/maps/finetuned/lrp-epsilon --lesions demo/cohorts/ms/derivatives/lesions"

FEW = 3  # with more maps than this, medians are printed; the table has all


def judge(
    maps: Annotated[list[Path], typer.Argument(help="Relevance maps in MNI space, or folders of them, of any tool.")],
    *,
    lesions: Annotated[
        list[Path], typer.Option(help="Lesion masks or folders of them, named after their maps; may be repeated.")
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="The scans, for nulls and brain; those that the maps' sidecars name if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where lesions.tsv goes.")] = Path("judgement"),
) -> None:
    """Measure relevance inside lesions: share, lift and strongest voxel of each map, beside its null maps."""
    import pandas as pd

    from pellucid.analysis.lesions import lesion_summary
    from pellucid.cli.inputs import expand, expand_masks, match_masks, owner
    from pellucid.files import write_tsv
    from pellucid.study.apply import NULL_SEED, judge_map

    paths = expand(maps)
    masks = match_masks(paths, expand_masks(lesions))
    scans = match_masks(paths, expand(images or [], deep=True))
    tables: list[pd.DataFrame] = []

    def work(path: Path) -> None:
        table = judge_map(path, masks[path], image=scans[path])
        table.insert(0, "file", str(path))
        table.insert(1, "participant_id", owner(path))
        tables.append(table)

    failed = batch.each(paths, work, label=f"judging {console.count(len(paths), 'map')}")
    if tables:
        every = pd.concat(tables, ignore_index=True)
        write_tsv(out / "lesions.tsv", every)
        if len(tables) > FEW:
            _show_summary(lesion_summary(every, seed=NULL_SEED))
        else:
            for table in tables:
                show_lesions(f"{table['participant_id'].iloc[0]}: relevance in lesions", table)
        without = [path.name for path in paths if masks[path] is None]
        if without:
            console.say(f"without a lesion mask: {', '.join(without)}")
        console.say(f"written: {out / 'lesions.tsv'}")
    batch.finish(failed, len(paths))


def _show_summary(table: pd.DataFrame) -> None:
    """Print medians over subjects."""
    console.show_table(
        ("medians", "subjects", "positive share", "lesion volume", "lift", "95 % interval", "strongest in lesion"),
        [
            (
                entry["map"],
                str(entry["subjects"]),
                console.percent(entry["positive_share"]),
                console.percent(entry["volume_share"], 2),
                console.number(entry["lift"], 1),
                f"{console.number(entry['low'], 1)} to {console.number(entry['high'], 1)}",
                console.percent(entry["strongest_in_lesion"], 0),
            )
            for entry in table.to_dict("records")
        ],
    )
