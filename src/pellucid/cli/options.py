"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pellucid.ground.errors import CombinedInputError, InputError, raise_together
from pellucid.ground.machine import cores

T = TypeVar("T")

Workers = Annotated[
    int | None, typer.Option(help="Number of processes that simulate and prepare scans. Default: one per core.")
]

Model = Annotated[
    Path, typer.Argument(help="The folder of a model, or of an arm of a run (its selected trial is used).")
]
Images = Annotated[
    list[Path],
    typer.Argument(
        help="Brain-extracted scans in MNI space, .nii or .nii.gz. A folder means all scans "
        "in it; a BIDS dataset means "
        "its scans of the model's modality."
    ),
]


OwnNetwork = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="For a model of your own network: where its class is. A model file alone never runs code.",
    ),
]


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="A module of your own that adds null maps or measures; to the report, sections too. Can be repeated.",
    ),
]

Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Use scans that the checks refuse (skull on, upside down, cut off, not in MNI space, ...). All their "
        "results are marked.",
    ),
]


def settings_of(kind: type[T], **given: Any) -> T:
    """Make settings from options; an error names its option, such as `--voxel-size`."""
    try:
        return kind(**given)
    except InputError as error:
        errors = error.errors if isinstance(error, CombinedInputError) else (error,)
        raise_together(InputError(f"--{one.where.replace('_', '-')}", one.what, one.fix) for one in errors)
        raise


def worker_count(workers: int | None, option: str = "--workers") -> int:
    """Return how many processes to use: as asked, or as many as this process may use cores."""
    if workers is not None and workers < 1:
        raise InputError(option, f"is {workers}", "Give a whole number of at least 1")
    return cores() if workers is None else workers
