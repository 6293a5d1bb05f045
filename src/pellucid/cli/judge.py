"""`pellucid judge`: how good relevance maps are, against lesion masks and null maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.judgement import show_people, show_scan
from pellucid.cli.options import Force, Plugins
from pellucid.ground.numbers import count

if TYPE_CHECKING:
    from pellucid.maps.judging import Judged

EXAMPLE = "Example: pellucid judge demo/maps/finetuned/lrp-epsilon --lesions demo/cohorts/ms/derivatives/lesions"

FEW = 3  # with more maps than this, medians are printed; the tables have all


def judge(
    maps: Annotated[list[Path], typer.Argument(help="Relevance maps in MNI space, or folders of them, from any tool.")],
    *,
    lesions: Annotated[
        list[Path],
        typer.Option(help="Lesion masks, or folders of them, with the names of the maps' scans; can be repeated."),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="The scans, for null maps and brain masks. Default: those that the maps' sidecars name."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The output folder. Rows of other maps in it are kept.")] = Path(
        "judgement"
    ),
    plugin: Plugins = None,
    force: Force = False,
) -> None:
    """Measure how well maps find lesions, by ranks and by relevance, compared with the best null map."""
    from pellucid.ground.plugins import load_plugins

    load_plugins(plugin or [], where="--plugin")
    from pellucid.cli.inputs import check_there, expand, expand_masks

    check_there(maps)
    from pellucid.bids.pairing import match_masks, pairs_said
    from pellucid.maps.judging import judge_maps
    from pellucid.maps.sidecars import source_of

    paths, drawn, given = expand(maps), expand_masks(lesions), expand(images or [], deep=True)
    sources = {path: found for path in paths if (found := source_of(path))}
    masks = match_masks(paths, drawn, sources=sources, shared=True)
    scans = match_masks(paths, given, what="image", sources=sources, shared=True)
    for line in pairs_said(masks, drawn) + (pairs_said(scans, given, what="image") if images else []):
        console.note(line)
    label = f"judging {count(len(paths), 'map')}"
    with console.Bars() as bars, bars.step(label) as progress:
        done = judge_maps(masks, images=scans, out=out, force=force, progress=progress)
    batch.name(done.ended, len(paths), label=label)
    if done.tables:
        _show(done)
        without = [path.name for path in paths if masks[path] is None]
        if without:
            console.say(f"without a lesion mask: {', '.join(without)}")
        console.written(done.files)
    batch.finish(done.ended, len(paths))


def _show(done: Judged) -> None:
    """Print each map beside its nulls, or of more than a few the medians over all."""
    if len(done.tables) > FEW:
        show_people(done.every)
    else:
        for table in done.tables.values():
            show_scan(f"{table['participant_id'].iloc[0]}: lesions", table)
    console.mark({path: table["problems"].iloc[0] for path, table in done.tables.items()})
