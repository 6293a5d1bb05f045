"""`pellucid predict`: a trained model's verdict on scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import OwnNetwork

if TYPE_CHECKING:
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
    out: Annotated[Path, typer.Option(help="Where predictions.tsv and .json go.")] = Path("predictions"),
    network: OwnNetwork = None,
) -> None:
    """Predict scans: logit and probability of each, as TSV and JSON. Not for clinical use."""
    from pellucid.cli.inputs import expand, find_model
    from pellucid.network.files import load_model
    from pellucid.study.apply import open_scan, predict_scan

    folder = find_model(model)
    opened = load_model(folder, network=network)
    paths = expand(images, modality=opened.info.modality)
    rows: dict[Path, dict[str, Any]] = {}

    def work(path: Path) -> None:
        scan = open_scan(path, opened)
        rows[path] = row(path, opened, logit=predict_scan(opened, scan), problems=scan.remark)

    failed = batch.each(paths, work, label=f"predicting {console.count(len(paths), 'scan')}")
    rows |= {path: row(path, opened, logit=None, problems=error) for path, error in failed.items()}
    write_predictions([rows[path] for path in paths], folder, opened, out)
    batch.finish(failed, len(paths))


def row(path: Path, network: Network, *, logit: float | None, problems: str | None) -> dict[str, Any]:
    """Return one row of predictions."""
    from pellucid.cli.inputs import participant
    from pellucid.study.apply import prediction_row

    return prediction_row(path, participant(path), model=network, logit=logit, problems=problems)


def write_predictions(rows: list[dict[str, Any]], folder: Path, network: Network, out: Path) -> None:
    """Write predictions.tsv and predictions.json, and print them."""
    import pandas as pd

    from pellucid.files import write_json, write_tsv
    from pellucid.study.apply import PREDICTION_COLUMNS, describe_predictions

    write_json(out / "predictions.json", describe_predictions(folder, network, rows))
    write_tsv(out / "predictions.tsv", pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS)))
    good = [entry for entry in rows if entry["logit"] is not None]
    console.show_table(
        ("scan", "logit", f"probability of {network.info.classes[1]}", "class", "remark"),
        [
            (
                Path(entry["image"]).name,
                console.number(entry["logit"]),
                console.number(entry["probability"]),
                entry["class"],
                entry["problems"] or "",
            )
            for entry in good
        ],
    )
    console.say(f"written: {out / 'predictions.tsv'}")
