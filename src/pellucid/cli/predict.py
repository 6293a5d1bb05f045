"""`pellucid predict`: a trained model's verdict on scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import Force, Images, Model, OwnNetwork
from pellucid.cli.predictions import show_predictions
from pellucid.ground.numbers import count

EXAMPLE = "Example: pellucid predict demo/models/finetuned scans/ --out predictions"


def predict(
    model: Model,
    images: Images,
    *,
    out: Annotated[
        Path, typer.Option(help="The folder of predictions.tsv and .json. Rows of other scans in it are kept.")
    ] = Path("predictions"),
    network: OwnNetwork = None,
    force: Force = False,
) -> None:
    """Predict scans: logit and probability of each, as TSV and JSON. Not for clinical use."""
    from pellucid.cli.inputs import check_there, expand
    from pellucid.maps.model_folder import find_model

    folder = find_model(model)
    check_there(images)
    from pellucid.maps.models import open_model
    from pellucid.maps.predicting import predict_scans

    opened = open_model(folder, network=network).model
    paths = expand(images, modality=opened.info.modality)
    label = f"predicting {count(len(paths), 'scan')}"
    with console.Bars() as bars, bars.step(label) as progress:
        done = predict_scans(paths, opened, out=out, force=force, progress=progress)
    batch.name(done.ended, len(paths), label=label)
    show_predictions(done)
    console.written(done.files)
    batch.finish(done.ended, len(paths))
