"""`pellucid predict`: a trained model's verdict on scans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import Force, OwnNetwork
from pellucid.ground.numbers import count, fixed
from pellucid.ground.words import printable

if TYPE_CHECKING:
    from pellucid.cli.earlier import Earlier
    from pellucid.network.architectures import Network

EXAMPLE = "Example: pellucid predict demo/models/finetuned scans/ --out predictions"

Model = Annotated[
    Path, typer.Argument(help="A model's folder, or an arm's of a run, which stands for its selected trial.")
]
Images = Annotated[
    list[Path],
    typer.Argument(
        help="Brain-extracted scans in MNI space, .nii or .nii.gz; a folder stands for all in it, a BIDS dataset for "
        "its scans of the model's modality."
    ),
]


def predict(
    model: Model,
    images: Images,
    *,
    out: Annotated[
        Path, typer.Option(help="Where predictions.tsv and .json go; rows of other scans stay there.")
    ] = Path("predictions"),
    network: OwnNetwork = None,
    force: Force = False,
) -> None:
    """Predict scans: logit and probability of each, as TSV and JSON. Not for clinical use."""
    from pellucid.cli.inputs import check_there, expand, find_model

    folder = find_model(model)
    check_there(images)
    from pellucid.cli.earlier import open_earlier
    from pellucid.maps.apply import open_scan, predict_scan
    from pellucid.network.files import load_model

    opened = load_model(folder, network=network)
    paths = expand(images, modality=opened.info.modality)
    earlier = open_earlier(out, made_by(folder, opened))
    rows: dict[Path, dict[str, Any]] = {}

    def work(path: Path) -> None:
        scan = open_scan(path, opened, force=force)
        rows[path] = row(path, opened, logit=predict_scan(opened, scan), problems=scan.remark)

    failed, stopped = batch.each_until_stopped(paths, work, label=f"predicting {count(len(paths), 'scan')}")
    if stopped and not rows and not failed:
        raise stopped
    rows |= {path: row(path, opened, logit=None, problems=error) for path, error in failed.items()}
    listed = [rows[path] for path in paths if path in rows]
    written = write_predictions(listed, folder, opened, earlier)
    batch.name(failed, len(paths))
    show_predictions(listed, opened)
    show_written(written)
    batch.finish(failed, len(paths), stopped=stopped)


def made_by(folder: Path, network: Network) -> dict[str, Any]:
    """Return what decides a prediction besides the scan, by the keys of predictions.json."""
    from pellucid.ground.files import sha256
    from pellucid.network.files import WEIGHTS

    return {
        "ModelSha256": sha256(folder / WEIGHTS),
        "Scaling": network.info.scaling,
        "Resampling": network.info.resampling,
        "Grid": network.grid.to_json(),
    }


def row(path: Path, network: Network, *, logit: float | None, problems: str | None) -> dict[str, Any]:
    """Return one row of predictions."""
    from pellucid.cli.pairing import participant
    from pellucid.maps.apply import prediction_row

    return prediction_row(path.absolute(), participant(path), model=network, logit=logit, problems=problems)


def write_predictions(
    rows: list[dict[str, Any]], folder: Path, network: Network, earlier: Earlier, **more: Any
) -> list[Path]:
    """Write predictions.tsv and predictions.json, behind what an earlier call left there; return their paths.

    `more` goes into predictions.json.
    """
    import pandas as pd

    from pellucid.cli.earlier import PREDICTIONS, merged
    from pellucid.ground.files import write_json, write_tsv
    from pellucid.maps.apply import PREDICTION_COLUMNS, describe_predictions

    done = [str(entry["image"]) for entry in rows]
    table = pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS))
    paths = [earlier.folder / "predictions.tsv", earlier.folder / PREDICTIONS]
    write_tsv(paths[0], merged(paths[0], table, key="image", done=done))
    write_json(paths[1], earlier.described({**describe_predictions(folder, network, rows), **more}, done))
    return paths


def show_predictions(rows: list[dict[str, Any]], network: Network) -> None:
    """Print the predictions that there are; those of scans that were refused once more, in red."""
    from pellucid.gate.finding import FORCED

    good = [entry for entry in rows if entry["logit"] is not None]
    if not good:
        return
    console.show_table(
        ("scan", "logit", f"probability of {network.info.classes[1]}, not calibrated", "class", "remark"),
        [
            (
                Path(entry["image"]).name,
                fixed(entry["logit"]),
                fixed(entry["probability_not_calibrated"]),
                entry["class"],
                entry["problems"] or "",
            )
            for entry in good
        ],
    )
    forced = [entry for entry in good if str(entry["problems"]).startswith(FORCED)]
    console.mark({Path(entry["image"]): entry["problems"] for entry in forced})
    console.say("For research only, not for diagnosis. A probability is 1 / (1 + exp(-logit)) and was not calibrated.")


def show_written(paths: Iterable[Path]) -> None:
    """Print where results are."""
    for path in paths:
        console.say(printable(f"written: {path}"))
