"""`pellucid judge`: how good relevance maps are, against lesion masks and null maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.judgement import show_people, show_scan
from pellucid.cli.options import Force
from pellucid.cli.predict import show_written
from pellucid.ground.numbers import count

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: pellucid judge demo/maps/finetuned/lrp-epsilon --lesions demo/cohorts/ms/derivatives/lesions"

FEW = 3  # with more maps than this, medians are printed; the tables have all


def judge(
    maps: Annotated[list[Path], typer.Argument(help="Relevance maps in MNI space, or folders of them, of any tool.")],
    *,
    lesions: Annotated[
        list[Path], typer.Option(help="Lesion masks or folders of them, named as the maps' scans are; may be repeated.")
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="The scans, for nulls and brain; those that the maps' sidecars name if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the tables go; rows of other maps stay there.")] = Path("judgement"),
    force: Force = False,
) -> None:
    """Measure how maps find lesions, by ranks and by relevance, each beside the best of its null maps."""
    import pandas as pd

    from pellucid.cli.earlier import merged
    from pellucid.cli.inputs import check_there, expand, expand_masks
    from pellucid.cli.pairing import check_apart, match_masks, owner, pairs_said, participant, source_of
    from pellucid.ground.files import write_tsv
    from pellucid.maps.apply import judge_map
    from pellucid.trust.lesion_summary import compare_with_nulls, lesion_summary

    check_there(maps)
    paths, drawn, given = expand(maps), expand_masks(lesions), expand(images or [], deep=True)
    check_apart(paths, out / "lesions.tsv")
    sources = {path: found for path in paths if (found := source_of(path))}
    masks = match_masks(paths, drawn, sources=sources, shared=True)
    scans = match_masks(paths, given, what="image", sources=sources, shared=True)
    for line in pairs_said(masks, drawn) + (pairs_said(scans, given, what="image") if images else []):
        console.note(line)
    tables: list[pd.DataFrame] = []
    judged: list[Path] = []

    def work(path: Path) -> None:
        table = judge_map(path, masks[path], image=scans[path], force=force)
        table.insert(0, "file", str(path.absolute()))
        table.insert(1, "participant_id", participant(path) or owner(path))
        tables.append(table)
        judged.append(path)

    failed = batch.each(paths, work, label=f"judging {count(len(paths), 'map')}")
    if tables:
        done = [str(path.absolute()) for path in paths]
        every = merged(out / "lesions.tsv", pd.concat(tables, ignore_index=True), key="file", done=done)
        write_tsv(out / "lesions.tsv", every)
        write_tsv(out / "lesions_summary.tsv", lesion_summary(every))
        write_tsv(out / "lesions_compared.tsv", compare_with_nulls(every))
        batch.name(failed, len(paths))
        if len(tables) > FEW:
            show_people(every)
        else:
            for table in tables:
                show_scan(f"{table['participant_id'].iloc[0]}: lesions", table)
        console.mark({path: table["problems"].iloc[0] for path, table in zip(judged, tables, strict=True)})
        without = [path.name for path in paths if masks[path] is None]
        if without:
            console.say(f"without a lesion mask: {', '.join(without)}")
        show_written(out / f"{name}.tsv" for name in ("lesions", "lesions_summary", "lesions_compared"))
    else:
        batch.name(failed, len(paths))
    batch.finish(failed, len(paths))
