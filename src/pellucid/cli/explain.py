"""`pellucid explain`: why a trained model says what it says of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import batch, console
from pellucid.cli.judgement import show_scan
from pellucid.cli.options import Epsilon, Force, OwnNetwork
from pellucid.cli.predict import Images, Model, made_by, row, show_predictions, show_written, write_predictions
from pellucid.ground.errors import InputError
from pellucid.ground.numbers import count

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.trust.alarms import MapSums

EXAMPLE = "Example: pellucid explain demo/models/finetuned sub-01_FLAIR.nii.gz --lesions sub-01_lesions.nii.gz"

HELP = {"method": "How to explain; `pellucid explain --help` lists the methods."}
"""Help that takes PyTorch to write: `list_methods` does, for who asks."""

TOP = 5  # regions printed for each scan; the table has all


def explain(
    model: Model,
    images: Images,
    *,
    method: Annotated[str, typer.Option(help=HELP["method"])] = "lrp-epsilon",
    epsilon: Epsilon = None,
    out: Annotated[Path, typer.Option(help="Where everything goes; maps and rows of other scans stay there.")] = Path(
        "explanations"
    ),
    native: Annotated[bool, typer.Option("--native", help="Also write each map on its scan's own grid.")] = False,
    lesions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Lesion masks, or folders of them, named as their scans are, run and session included; may be "
            "given several times. "
            "Gives the lesion table, beside null maps."
        ),
    ] = None,
    atlas: Annotated[str, typer.Option(help="Atlas of the regions.")] = "neuromorphometrics",
    network: OwnNetwork = None,
    force: Force = False,
) -> None:
    """Explain scans: relevance map, picture, regions and ledger of each. Not for clinical use."""
    from pellucid.cli.inputs import check_there, expand, expand_masks, find_model, unique_names

    folder = find_model(model)
    check_there(images)
    import pandas as pd

    from pellucid.atlas.find import find_atlas
    from pellucid.cli.earlier import open_earlier
    from pellucid.cli.pairing import match_masks, pairs_said, participant
    from pellucid.ground.words import printable, some
    from pellucid.image.nifti import sidecar_path, stem
    from pellucid.maps.apply import open_scan, scan_lesions, scan_regions, write_maps
    from pellucid.maps.evidence import find_learned, read_lesions
    from pellucid.maps.maps import explain_image, ledger_table, map_name, open_explainer
    from pellucid.report.pictures.overlay import draw_map
    from pellucid.trust.alarms import gross_words

    explainer = open_explainer(folder, method=method, epsilon=epsilon, network=network)
    paths = expand(images, modality=explainer.model.info.modality)
    drawn = expand_masks(lesions or [])
    masks = match_masks(paths, drawn)
    learned = find_learned(explainer.folder, explainer.grid)
    areas = find_atlas(atlas).on(explainer.grid)
    how = {"Method": explainer.method.name, "Parameters": explainer.parameters, "Atlas": atlas}
    earlier = open_earlier(out, made_by(folder, explainer.model) | how)
    names = unique_names(paths, taken=earlier.names)
    for line in pairs_said(masks, drawn) if lesions else []:
        console.note(line)
    rows: dict[Path, dict[str, Any]] = {}
    said: dict[Path, MapSums] = {}
    pictures: dict[Path, list[Path]] = {}
    tables: dict[str, list[pd.DataFrame]] = {"regions": [], "ledger": [], "sums": [], "lesions": []}

    def keep(table: str, path: Path, content: pd.DataFrame) -> None:
        content.insert(0, "image", str(path.absolute()))
        content.insert(1, "participant_id", participant(path))
        tables[table].append(content)

    def work(path: Path) -> None:
        for res in ("", "native"):  # of an earlier call: should this one fail, no map may lie there without its row
            old = out / map_name(names[path], explainer.method.name, res=res)
            for file in (old, sidecar_path(old), old.with_name(f"{stem(old)}.png")):
                file.unlink(missing_ok=True)
        scan = open_scan(path, explainer.model, force=force)
        explained = explain_image(explainer, scan.prepared.image)
        mask, found, trouble = masks[path], None, None
        try:
            found = read_lesions(mask, native=scan.native, grid=explainer.grid) if mask is not None else None
        except InputError as error:  # a bad mask costs the lesion table, not the picture
            trouble = error
        written = write_maps(explainer, scan, explained, folder=out, name=names[path], native=native, lesions=found)
        odd = [*([scan.remark] if scan.remark else []), *(found.remarks if found else ())]
        rows[path] = row(path, explainer.model, logit=explained.logit, problems="; ".join(odd) or None)
        keep("regions", path, scan_regions(explainer, explained, areas))
        keep("ledger", path, ledger_table(explained.ledger))
        keep("sums", path, pd.DataFrame([explained.sums.columns()]))
        said[path] = explained.sums
        if lesions and not trouble:
            keep("lesions", path, scan_lesions(explainer, scan, explained, found, learned=learned))
        picture = written[0].with_name(f"{stem(written[0])}.png")
        draw_map(
            scan.prepared.image,
            explained.relevance,
            explainer.grid,
            explainer.view.mask(),
            lesions=found.mask if found else None,
            title=f"{names[path]}: {method}, logit {explained.logit:+.2f} ({rows[path]['class']})",
            path=picture,
            note=f"{gross_words(explained.sums.gross_per_logit).capitalize()}.",
            alarms=[*odd, *explained.sums.sentences()],
        )
        pictures[path] = [*written, picture]
        if trouble:
            raise trouble

    failed, stopped = batch.each_until_stopped(paths, work, label=f"explaining {count(len(paths), 'scan')}")
    if stopped and not rows and not failed:
        raise stopped
    for path, error in failed.items():
        rows.setdefault(path, row(path, explainer.model, logit=None, problems=None))["problems"] = error
    listed = [rows[path] for path in paths if path in rows]
    written = write_predictions(listed, folder, explainer.model, earlier, **how)
    written += _write_tables(tables, out, done=[entry["image"] for entry in listed])
    batch.name(failed, len(paths))
    show_predictions(listed, explainer.model)
    for path, files in pictures.items():
        *maps, picture = files
        where = f"map {', '.join(map(str, maps))}; picture {picture}"
        console.say(printable(f"{path.name}: {where}"))
        _show_sums(said[path])
    _show_tables(tables)
    rowless = [str(path) for path in earlier.rowless if path not in {one.resolve() for one in paths}]
    if rowless:
        console.note(f"{out} holds maps without rows, of a call that was killed; explain again: {some(rowless)}")
    show_written(written)
    batch.finish(failed, len(paths), stopped=stopped)


def _show_sums(sums: MapSums) -> None:
    """Say what a map sums to beside its logit, and in red whatever is wrong with that."""
    from pellucid.trust.alarms import gross_words

    checked = "" if sums.alarms is not None else "; not checked, for the method keeps no ledger"
    console.say(
        f"  logit {sums.logit:+.3g}, the map sums to {sums.total:+.3g}, {gross_words(sums.gross_per_logit)}{checked}"
    )
    for sentence in sums.sentences():
        console.say(f"  ALARM: {sentence}", style="bold red")


def list_methods() -> None:
    """Put every method and what it does into the help of `--method`."""
    from pellucid.attribution.explain import methods

    HELP["method"] = "How to explain. " + " ".join(f"{one.name}: {one.summary}" for one in methods())


def _write_tables(tables: dict[str, list[pd.DataFrame]], out: Path, *, done: list[str]) -> list[Path]:
    """Write regions.tsv, ledger.tsv, sums.tsv and lesions.tsv behind an earlier call's; return those with rows.

    `done` are the images of this call, whose earlier rows go.
    """
    import pandas as pd

    from pellucid.cli.earlier import merged
    from pellucid.ground.files import write_tsv

    written = []
    for name, parts in tables.items():
        path = out / f"{name}.tsv"
        if parts or path.is_file():
            table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
            whole = merged(path, table, key="image", done=done)
            if whole.empty:
                path.unlink(missing_ok=True)
            else:
                write_tsv(path, whole)
                written.append(path)
    return written


def _show_tables(tables: dict[str, list[pd.DataFrame]]) -> None:
    """Print what matters of the tables."""
    for table in tables["regions"]:
        console.say("")
        order = table["sum"].abs().sort_values(ascending=False).index[:TOP]
        top = table.loc[order]
        console.show_table(
            (f"{Path(table['image'].iloc[0]).name}: strongest regions", "relevance", "per voxel", "seen"),
            [
                (area["area"], f"{area['sum']:+.3g}", f"{area['mean']:+.2g}", f"{100 * area['seen_share']:.0f} %")
                for area in top.to_dict("records")
            ],
        )
    for table in tables["lesions"]:
        show_scan(f"{Path(table['image'].iloc[0]).name}: lesions", table)
