"""Scans explained on disk: `explain_scan`, and of many scans maps and tables that grow call by call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pellucid.analysis.regions import regional_relevance
from pellucid.atlas.find import find_atlas
from pellucid.atlas.labels import Atlas
from pellucid.attribution.method import Method
from pellucid.bids.pairing import participant
from pellucid.ground.errors import InputError
from pellucid.ground.progress import Progress, unwatched
from pellucid.maps.batch import each
from pellucid.maps.evidence import Lesions, find_learned, lesion_evidence, of_mask, read_lesions
from pellucid.maps.explainer import Explained, Explainer, explain_image, ledger_table, open_explainers
from pellucid.maps.files import remove_maps, write_maps
from pellucid.maps.models import Opened
from pellucid.maps.names import unique_names
from pellucid.maps.predicting import Prediction, Predictions, made_by, prediction, write_predictions
from pellucid.maps.results import open_earlier, write_tables
from pellucid.maps.scans import Scan, open_scan
from pellucid.network.architectures import Network
from pellucid.network.foreign import Maker
from pellucid.trust.nulls import Learned

ATLAS = "neuromorphometrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedScan:
    """One scan and its map by one method: numbers, files, and what a picture is drawn from. For research only.

    Parameters
    ----------
    name
        What its outputs are called.
    prediction
        What the model says of the scan.
    explainer, scan, explained
        The model and the method; the scan as the model saw it; map, logit and ledger.
    lesions
        The lesion mask on the model's grid, if there is one.
    tables
        By name: `regions`, `ledger`, `sums`, and `lesions` if they were asked for.
    files
        What was written: the map on the model's grid first.
    """

    name: str
    prediction: Prediction
    explainer: Explainer
    scan: Scan
    explained: Explained
    lesions: Lesions | None
    tables: Mapping[str, pd.DataFrame]
    files: tuple[Path, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about the scan and its lesion mask."""
        return _remarks(self.scan, self.lesions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations:
    """What explaining many scans left in a folder.

    Parameters
    ----------
    predictions
        The predictions, which scans failed, and whether the call was interrupted.
    tables
        The tables of each scan of this call, by name.
    files
        Every table that was written.
    rowless
        Scans of an earlier call that was killed: they have maps there and no rows.
    """

    predictions: Predictions
    tables: Mapping[str, Sequence[pd.DataFrame]]
    files: tuple[Path, ...]
    rowless: tuple[Path, ...]


def explain_scan(
    path: Path | str,
    model: Path | str | Network,
    *,
    method: str | Method = "lrp-epsilon",
    lesions: Path | str | None = None,
    atlas: str = ATLAS,
    native: bool = False,
    network: str | Maker | None = None,
    force: bool = False,
    out: Path | str = "explanations",
) -> ExplainedScan:
    """Explain one scan: write its relevance map with a sidecar and its rows of the tables into `out`.

    What other scans have there stays. `pellucid.report.pictures.scan.draw_scan` draws the picture of what is returned.

    Parameters
    ----------
    path
        A brain-extracted scan in MNI space, .nii or .nii.gz.
    model
        A model's folder, or an arm's of a run, which stands for its selected trial; or a model that is loaded.
    method
        As in `pellucid.explain`, or `NAME:key=value,key=value`.
    lesions
        A lesion mask of the scan, on its own grid or the model's; the map and null maps are measured against it.
    atlas
        The atlas of the regions.
    native
        Whether to write the map on the scan's own grid too.
    network
        For a model of a network of your own: its class or where that is, `package.module:Name`.
    force
        Whether to take a scan that the gate refuses; every result is marked.
    out
        A folder of results of one model and one set of methods.

    Raises
    ------
    InputError
        The model, the scan, the method or the atlas cannot be used, the scan is refused, or `out` holds other results.
        Then nothing is written but, if the scan is to blame, its row. If the lesion mask is to blame, all else is
        written before.
    """
    found: list[ExplainedScan] = []
    done = explain_scans(
        [Path(path)],
        model,
        methods=[method],
        lesions=None if lesions is None else {Path(path): Path(lesions)},
        atlas=atlas,
        native=native,
        network=network,
        force=force,
        out=Path(out),
        then=found.append,
    )
    for trouble in (done.predictions.ended.stopped, done.predictions.ended.error):
        if trouble is not None:
            raise trouble
    return replace(found[0], files=(*found[0].files, *done.files))


def explain_scans(
    paths: Sequence[Path],
    model: Path | str | Network,
    *,
    methods: Sequence[str | Method] = ("lrp-epsilon",),
    lesions: Mapping[Path, Path | None] | None = None,
    atlas: str = ATLAS,
    native: bool = False,
    network: str | Maker | None = None,
    force: bool = False,
    out: Path,
    then: Callable[[ExplainedScan], object] = lambda _: None,
    progress: Progress = unwatched,
) -> Explanations:
    """Explain scans as `explain_scan` does, with the tables written at the end, or when the call is interrupted.

    A scan that fails is named and costs the others nothing; a lesion mask that fails costs its scan the lesion table.

    Parameters
    ----------
    paths
        The scans.
    model, atlas, native, network, force, out
        As in `explain_scan`.
    methods
        As `method` there, one or more: each gives its maps, and its rows of the tables.
    lesions
        The mask of each scan, None where it has none: its lesion table is of missing values.
    then
        Called with each scan and method once the map is written, such as to draw it: arrays are not kept. If it fails,
        so does the scan.
    progress
        Called as the work goes on.

    Raises
    ------
    InputError
        The model, a method or the atlas cannot be used, or `out` holds other results.
    KeyboardInterrupt
        The call was interrupted before anything was done.
    """
    explainers = open_explainers(model, methods, network=network)
    first = explainers[0]
    opened = Opened(first.model, first.digest, first.folder)
    learned = find_learned(first.folder, first.grid)
    areas = find_atlas(atlas).on(first.grid)
    how = {"Methods": {one.method.text: one.method.parameters for one in explainers}, "Atlas": atlas}
    earlier = open_earlier(out, made_by(opened) | how)
    names = unique_names(paths, taken=earlier.names)
    predictions: dict[Path, Prediction] = {}
    tables: dict[str, list[pd.DataFrame]] = {"regions": [], "ledger": [], "sums": [], "lesions": []}

    def work(path: Path) -> None:
        for explainer in explainers:
            remove_maps(out, names[path], explainer)
        scan = open_scan(path, first.model, force=force)
        mask, trouble = _read_mask((lesions or {}).get(path), scan, first)
        for explainer in explainers:
            explained = explain_image(explainer, scan.prepared.image)
            files = write_maps(explainer, scan, explained, mask, out=out, name=names[path], native=native)
            predictions[path] = prediction(first.model, scan, explained.logit, remarks=_remarks(scan, mask))
            found = {
                "regions": scan_regions(explainer, explained, areas),
                "ledger": ledger_table(explained.ledger),
                "sums": pd.DataFrame([explained.sums.columns()]),
            }
            if lesions is not None and trouble is None:
                found["lesions"] = scan_lesions(explainer, scan, explained, mask, learned=learned)
            for table, content in found.items():
                for place, (column, value) in enumerate(_whose(path, explainer).items()):
                    content.insert(place, column, value)
                tables[table].append(content)
            then(
                ExplainedScan(
                    name=names[path],
                    prediction=predictions[path],
                    explainer=explainer,
                    scan=scan,
                    explained=explained,
                    lesions=mask,
                    tables=found,
                    files=tuple(files),
                )
            )
        if trouble is not None:
            raise trouble

    ended = each(paths, work, progress)
    written = write_predictions(paths, predictions, ended, opened, earlier, **how)
    images = [row["image"] for row in written.rows]
    files = write_tables(out, tables, key="image", done=images)
    now = {path.resolve() for path in paths}
    return Explanations(
        predictions=written,
        tables=tables,
        files=(*written.files, *files),
        rowless=tuple(path for path in earlier.rowless if path not in now),
    )


def _whose(path: Path, explainer: Explainer) -> dict[str, str | None]:
    """Return the columns that say which map a table's rows are of."""
    return {"image": str(path.absolute()), "participant_id": participant(path), "method": explainer.method.text}


def scan_regions(explainer: Explainer, explained: Explained, atlas: Atlas) -> pd.DataFrame:
    """Return the relevance of each area of an atlas that lies on the model's grid."""
    return regional_relevance(explained.relevance, atlas.labels, atlas.regions, explainer.view.mask())


def scan_lesions(
    explainer: Explainer, scan: Scan, explained: Explained, lesions: Lesions | None, *, learned: Learned
) -> pd.DataFrame:
    """Return the lesion table of one scan, its map and the nulls; a missing mask gives missing values."""
    table = lesion_evidence(
        explained.relevance,
        None if lesions is None else lesions.mask,
        name=explainer.method.text,
        image=scan.prepared.image,
        brain=scan.prepared.brain,
        seen=explainer.view.mask(),
        learned=learned,
        grid=explainer.grid,
    )
    return of_mask(table, lesions, [scan.remark] if scan.remark else [])


def _remarks(scan: Scan, lesions: Lesions | None) -> tuple[str, ...]:
    """Return what is odd about a scan and its lesion mask."""
    return (*([scan.remark] if scan.remark else []), *(lesions.remarks if lesions is not None else ()))


def _read_mask(path: Path | None, scan: Scan, explainer: Explainer) -> tuple[Lesions | None, InputError | None]:
    """Return a scan's lesion mask on the model's grid, or why it cannot be used, which costs the lesion table alone."""
    if path is None:
        return None, None
    try:
        return read_lesions(path, native=scan.native, grid=explainer.grid), None
    except InputError as error:
        return None, error
