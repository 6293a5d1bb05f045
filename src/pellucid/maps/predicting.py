"""A model's predictions of scans: `predict_scan`, and of many scans a table that grows call by call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import pellucid
from pellucid.bids.pairing import participant
from pellucid.gate.finding import UNCHECKED
from pellucid.ground.errors import InputError
from pellucid.ground.files import write_json, write_tsv
from pellucid.ground.progress import Progress, unwatched
from pellucid.maps.batch import Ended, each
from pellucid.maps.explainer import probability
from pellucid.maps.models import Opened, open_model
from pellucid.maps.results import PREDICTIONS, Earlier, merged, open_earlier
from pellucid.maps.scans import Scan, open_scan
from pellucid.maps.sidecars import describe_view
from pellucid.network.architectures import Network
from pellucid.network.field_of_view import field_of_view
from pellucid.network.foreign import Maker

PREDICTION_COLUMNS = ("image", "participant_id", "logit", "probability_not_calibrated", "class", "problems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one scan. For research only.

    Parameters
    ----------
    path
        The scan.
    logit
        The output before the sigmoid.
    probability
        1 / (1 + exp(-logit)), of the class of label 1; not calibrated.
    group
        The class that the logit speaks for: that of label 1 above 0.
    problems
        What is odd about the scan, and about its lesion mask if one was used; None if nothing is.
    """

    path: Path
    logit: float
    probability: float
    group: str
    problems: str | None = None

    @property
    def participant(self) -> str | None:
        """Whom the name of the scan names."""
        return participant(self.path)

    def row(self) -> dict[str, Any]:
        """Return the prediction as a row of `PREDICTION_COLUMNS`."""
        values = (str(self.path.absolute()), self.participant, self.logit, self.probability, self.group, self.problems)
        return dict(zip(PREDICTION_COLUMNS, values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The predictions of many scans and the files that they stand in.

    Parameters
    ----------
    classes
        The model's classes, by label.
    rows
        Rows of `PREDICTION_COLUMNS`; a scan that failed has its problem and no numbers.
    files
        What was written.
    ended
        Which scans failed, and whether the call was interrupted.
    """

    classes: Mapping[int, str]
    rows: list[dict[str, Any]]
    files: tuple[Path, ...]
    ended: Ended


def predict_scan(
    path: Path | str, model: Path | str | Network, *, network: str | Maker | None = None, force: bool = False
) -> Prediction:
    """Return what a model says of one scan.

    Parameters
    ----------
    path
        A brain-extracted scan in MNI space, .nii or .nii.gz.
    model
        A model's folder, or an arm's of a run, which stands for its selected trial; or a model that is loaded.
    network
        For a model of a network of your own: its class or where that is, `package.module:Name`.
    force
        Whether to take a scan that the gate refuses; `problems` then says so.

    Raises
    ------
    InputError
        The model or the scan cannot be used, or the scan is refused.
    """
    opened = open_model(model, network=network)
    scan = open_scan(Path(path), opened.model, force=force)
    return predict(opened.model, scan)


def predict_scans(
    paths: Sequence[Path],
    model: Path | str | Network,
    *,
    out: Path,
    network: str | Maker | None = None,
    force: bool = False,
    progress: Progress = unwatched,
) -> Predictions:
    """Predict scans and write predictions.tsv and predictions.json into `out`, where rows of other scans stay.

    A scan that fails is named and costs the others nothing. If the call is interrupted, what is done is written.

    Raises
    ------
    InputError
        The model cannot be used, or `out` holds results of another one.
    """
    opened = open_model(model, network=network)
    earlier = open_earlier(out, made_by(opened))
    done: dict[Path, Prediction] = {}

    def work(path: Path) -> None:
        scan = open_scan(path, opened.model, force=force)
        done[path] = predict(opened.model, scan)

    ended = each(paths, work, progress)
    return write_predictions(paths, done, ended, opened, earlier)


def logit_of(model: Network, scan: Scan) -> float:
    """Return the logit of one scan.

    Raises
    ------
    InputError
        It is no finite number: weights may be finite and yet too large.
    """
    with torch.inference_mode():
        logit = float(model(torch.from_numpy(scan.prepared.image)[None, None])[0])
    if not math.isfinite(logit):
        what = f"the model's logit for it is {logit}: its weights are too large"
        raise InputError(scan.path, what, "Train the model again, or give another one")
    return logit


def predict(model: Network, scan: Scan) -> Prediction:
    """Return what a model says of a scan that is open."""
    return prediction(model, scan, logit_of(model, scan), remarks=[scan.remark] if scan.remark else [])


def prediction(model: Network, scan: Scan, logit: float, *, remarks: Sequence[str]) -> Prediction:
    """Return what a logit means; `remarks` are what is odd about the scan."""
    return Prediction(
        path=scan.path,
        logit=logit,
        probability=probability(logit),
        group=model.info.classes[int(logit > 0)],
        problems="; ".join(remarks) or None,
    )


def made_by(opened: Opened) -> dict[str, Any]:
    """Return what decides a prediction besides the scan, by the keys of predictions.json."""
    info = opened.model.info
    return {
        "ModelSha256": opened.digest,
        "Scaling": info.scaling,
        "Resampling": info.resampling,
        "Grid": opened.model.grid.to_json(),
    }


def write_predictions(
    paths: Sequence[Path],
    done: Mapping[Path, Prediction],
    ended: Ended,
    opened: Opened,
    earlier: Earlier,
    **more: Any,
) -> Predictions:
    """Write predictions.tsv and predictions.json behind what an earlier call left there; `more` goes into the latter.

    Raises
    ------
    KeyboardInterrupt
        The call was interrupted before anything was done.
    """
    rows: list[dict[str, Any]] = []
    for path in paths:
        if path in done or path in ended.failed:
            failed = dict.fromkeys(PREDICTION_COLUMNS) | {
                "image": str(path.absolute()),
                "participant_id": participant(path),
            }
            problem = {"problems": ended.failed[path]} if path in ended.failed else {}
            rows.append((done[path].row() if path in done else failed) | problem)
    if ended.stopped and not rows:
        raise ended.stopped
    images = [row["image"] for row in rows]
    table = pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS))
    files = (earlier.folder / "predictions.tsv", earlier.folder / PREDICTIONS)
    write_tsv(files[0], merged(files[0], table, key="image", done=images))
    write_json(files[1], earlier.described({**_describe(opened, rows), **more}, images))
    return Predictions(classes=opened.model.info.classes, rows=rows, files=files, ended=ended)


def _describe(opened: Opened, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Say, as JSON types, what model gave the predictions, what they mean, and the predictions themselves."""
    info, classes = opened.model.info, opened.model.info.classes
    return {
        **({} if opened.folder is None else {"Model": str(opened.folder)}),
        "Modality": info.modality,
        **made_by(opened),
        **describe_view(field_of_view(opened.model), opened.model.grid),
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
        "logit": {"Description": f"Output before the sigmoid; above 0 means {classes[1]}"},
        "probability_not_calibrated": {"Description": f"1 / (1 + exp(-logit)), of {classes[1]}. Research only."},
        "problems": {
            "Description": "Why there is no prediction, or what is odd about the scan. FORCED: the gate refuses the "
            "scan, and --force took it all the same. " + UNCHECKED
        },
        "Predictions": list(rows),
    }
