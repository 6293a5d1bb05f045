"""`pellucid explain`: why a trained model says what it says of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import Epsilon, OwnNetwork
from pellucid.cli.predict import Images, Model, row, write_predictions
from pellucid.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "Example: pellucid explain demo/models/finetuned sub-01_FLAIR.nii.gz --lesions sub-01_lesions.nii.gz"

TOP = 5  # regions printed for each scan; the table has all


def explain(
    model: Model,
    images: Images,
    *,
    method: Annotated[str, typer.Option(help="lrp-epsilon, gradient or input-x-gradient.")] = "lrp-epsilon",
    epsilon: Epsilon = None,
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("explanations"),
    native: Annotated[bool, typer.Option("--native", help="Also write each map on its scan's own grid.")] = False,
    lesions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Lesion masks, or folders of them, named after their scans; may be given several times. "
            "Gives the lesion table, beside null maps."
        ),
    ] = None,
    atlas: Annotated[str, typer.Option(help="Atlas of the regions.")] = "neuromorphometrics",
    network: OwnNetwork = None,
) -> None:
    """Explain scans: relevance map, picture, regions and ledger of each. Not for clinical use."""
    from pellucid.atlas.find import find_atlas
    from pellucid.cli.inputs import expand, expand_masks, find_model, match_masks, participant, unique_names
    from pellucid.report.overlay import draw_map
    from pellucid.study.apply import open_scan, scan_lesions, scan_regions, write_maps
    from pellucid.study.evidence import find_population
    from pellucid.study.maps import explain_image, ledger_table, open_explainer

    explainer = open_explainer(find_model(model), method=method, epsilon=epsilon, network=network)
    paths = expand(images, modality=explainer.model.info.modality)
    masks = match_masks(paths, expand_masks(lesions or []))
    population = find_population(explainer.folder, explainer.grid)
    areas = find_atlas(atlas).on(explainer.grid)
    names = unique_names(paths)
    rows: dict[Path, dict[str, Any]] = {}
    tables: dict[str, list[pd.DataFrame]] = {"regions": [], "ledger": [], "lesions": []}

    def keep(table: str, path: Path, content: pd.DataFrame) -> None:
        content.insert(0, "image", str(path))
        content.insert(1, "participant_id", participant(path))
        tables[table].append(content)

    def work(path: Path) -> None:
        scan = open_scan(path, explainer.model)
        explained = explain_image(explainer, scan.prepared.image)
        written = write_maps(explainer, scan, explained, folder=out, name=names[path], native=native)
        rows[path] = row(path, explainer.model, logit=explained.logit, problems=scan.remark)
        keep("regions", path, scan_regions(explainer, explained, areas))
        keep("ledger", path, ledger_table(explained.ledger))
        mask, trouble = None, None
        if lesions:
            try:
                table, mask = scan_lesions(explainer, scan, explained, masks[path], population=population)
                keep("lesions", path, table)
            except InputError as error:  # a bad mask costs the lesion table, not the picture
                trouble = error
        draw_map(
            scan.prepared.image,
            explained.relevance,
            explainer.grid,
            explainer.view.mask(),
            lesions=mask,
            title=f"{names[path]}: {method}, logit {explained.logit:+.2f} ({rows[path]['class']})",
            path=written[0].with_name(written[0].name.removesuffix(".nii.gz") + ".png"),
        )
        if trouble:
            raise trouble

    failed = batch.each(paths, work, label=f"explaining {console.count(len(paths), 'scan')}")
    for path, error in failed.items():
        rows.setdefault(path, row(path, explainer.model, logit=None, problems=None))["problems"] = error
    write_predictions([rows[path] for path in paths], explainer.folder, explainer.model, out)
    _write_tables(tables, out)
    if lesions and population is None:
        console.say("the mean-lesion null is missing: there is no population_lesions.nii.gz beside the model")
    batch.finish(failed, len(paths))


def _write_tables(tables: dict[str, list[pd.DataFrame]], out: Path) -> None:
    """Write regions.tsv, ledger.tsv and lesions.tsv, those that have rows, and print what matters of them."""
    import pandas as pd

    from pellucid.files import write_tsv

    for name, parts in tables.items():
        if parts:
            write_tsv(out / f"{name}.tsv", pd.concat(parts, ignore_index=True))
            console.say(f"written: {out / f'{name}.tsv'}")
    for table in tables["regions"]:
        console.say("")
        order = table["sum"].abs().sort_values(ascending=False).index[:TOP]
        top = table.loc[order]
        console.show_table(
            (f"{Path(table['image'].iloc[0]).name}: strongest regions", "relevance", "a voxel", "seen"),
            [
                (area["area"], f"{area['sum']:+.3g}", f"{area['mean']:+.2g}", f"{100 * area['seen_share']:.0f} %")
                for area in top.to_dict("records")
            ],
        )
    for table in tables["lesions"]:
        show_lesions(f"{Path(table['image'].iloc[0]).name}: relevance in lesions", table)


def show_lesions(title: str, table: pd.DataFrame) -> None:
    """Print the lesion table of one scan."""
    console.say("")
    console.show_table(
        (title, "positive share", "lesion volume", "lift", "strongest voxel in lesion"),
        [
            (
                entry["map"],
                console.percent(entry["positive_share"]),
                console.percent(entry["volume_share"], 2),
                console.number(entry["lift"], 1),
                console.percent(entry["strongest_in_lesion"], 0),
            )
            for entry in table.to_dict("records")
        ],
    )
