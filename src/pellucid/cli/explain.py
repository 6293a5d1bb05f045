"""`pellucid explain`: why a trained model says what it says of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.explanations import show_maps
from pellucid.cli.options import Force, Images, Model, OwnNetwork, Plugins
from pellucid.cli.predictions import show_predictions
from pellucid.ground.numbers import count
from pellucid.ground.words import some

if TYPE_CHECKING:
    from pellucid.attribution.method import Method
    from pellucid.maps.explaining import ExplainedScan
    from pellucid.trust.alarms import MapSums

EXAMPLE = "Example: pellucid explain demo/models/finetuned sub-01_FLAIR.nii.gz --lesions sub-01_lesions.nii.gz"

HELP = {"method": "Attribution method; `pellucid explain --help` lists them."}
"""Help that takes PyTorch to write: `list_methods` does, for who asks."""


def explain(
    model: Model,
    images: Images,
    *,
    method: Annotated[list[str] | None, typer.Option(metavar="NAME[:KEY=VALUE,...]", help=HELP["method"])] = None,
    out: Annotated[Path, typer.Option(help="The output folder. Maps and rows of other scans in it are kept.")] = Path(
        "explanations"
    ),
    native: Annotated[bool, typer.Option("--native", help="Also write each map on its scan's own grid.")] = False,
    lesions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Lesion masks, or folders of them, with the names of their scans, including run and session; can be "
            "given several times. "
            "With them, the lesion table is made, compared with null maps."
        ),
    ] = None,
    atlas: Annotated[str, typer.Option(help="Atlas of the regions.")] = "neuromorphometrics",
    network: OwnNetwork = None,
    plugin: Plugins = None,
    force: Force = False,
) -> None:
    """Explain scans: relevance map, picture, regions and ledger of each. Not for clinical use."""
    from pellucid.ground.plugins import load_plugins

    load_plugins(plugin or [], where="--plugin")
    from pellucid.cli.inputs import check_there, expand, expand_masks
    from pellucid.maps.model_folder import find_model

    folder = find_model(model)
    check_there(images)
    from pellucid.bids.pairing import match_masks, pairs_said
    from pellucid.maps.explaining import explain_scans
    from pellucid.maps.models import open_model
    from pellucid.report.pictures.scan import draw_scan

    opened = open_model(folder, network=network).model
    paths, drawn = expand(images, modality=opened.info.modality), expand_masks(lesions or [])
    masks = match_masks(paths, drawn)
    for line in pairs_said(masks, drawn) if lesions else []:
        console.note(line)
    lines: list[tuple[str, MapSums]] = []

    def draw(scan: ExplainedScan) -> None:
        picture = draw_scan(scan)
        said = f"{scan.scan.path.name}: map {', '.join(map(str, scan.files))}; picture {picture}"
        lines.append((said, scan.explained.sums))

    label = f"explaining {count(len(paths), 'scan')}"
    with console.Bars() as bars, bars.step(label) as progress:
        done = explain_scans(
            paths,
            opened,
            methods=method or ["lrp-epsilon"],
            lesions=masks if lesions else None,
            atlas=atlas,
            native=native,
            force=force,
            out=out,
            then=draw,
            progress=progress,
        )
    batch.name(done.predictions.ended, len(paths), label=label)
    show_predictions(done.predictions)
    show_maps(lines, done.tables)
    if done.rowless:
        rest = some(map(str, done.rowless))
        console.note(f"{out} contains maps without rows, from a call that was killed. Explain these again: {rest}")
    console.written(done.files)
    batch.finish(done.predictions.ended, len(paths))


def list_methods() -> None:
    """Put every method and what it does into the help of `--method`."""
    from pellucid.attribution.explain import methods

    known = " ".join(map(_described, methods()))
    HELP["method"] = f"Attribution method; can be repeated. Default: lrp-epsilon. {known}"


def _described(method: Method) -> str:
    """Return name, parameters and summary of a method."""
    given = ", ".join(f"{name}={value!r}" for name, value in method.parameters.items())
    return f"{method.name}{f' ({given})' if given else ''}: {method.summary}"
