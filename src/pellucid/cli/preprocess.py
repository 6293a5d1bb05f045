"""`pellucid preprocess`: raw T1w and FLAIR to MNI space and to what a network reads, as a BIDS App."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import settings_of, worker_count
from pellucid.ground.errors import InputError

if TYPE_CHECKING:
    from pellucid.preprocess.people import RawPeople

EXAMPLE = "Example: pellucid preprocess bids derivatives/pellucid participant --participant-label 01 02"

SEVERAL = ("--participant-label", "--participant_label", "--session-label", "--derivatives", "-d", "--skip")
"""Options that, as in other BIDS Apps, take several values at once: `--participant-label 01 02`."""

LEVELS = ("participant", "group")

_Choose = "Which scans"
_How = "How"


def preprocess(
    bids_dir: Annotated[Path, typer.Argument(help="A BIDS dataset of T1w and FLAIR scans, skull on or off.")],
    out: Annotated[Path, typer.Argument(help="The derivative dataset to write. Unfinished work in it is completed.")],
    level: Annotated[
        str, typer.Argument(help="'participant': process visits. 'group': only make the tables and pages again.")
    ],
    *,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(
            "--participant-label",
            "--participant_label",
            help="Process only these participants, with or without 'sub-'.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option(help="Process only these sessions, with or without 'ses-'.", rich_help_panel=_Choose),
    ] = None,
    bids_filter_file: Annotated[
        Path | None,
        typer.Option(
            help='JSON file that selects one of several scans: {"flair": {"acquisition": "3d"}, "t1w": {"run": 1}}.',
            rich_help_panel=_Choose,
        ),
    ] = None,
    lesions: Annotated[
        Path | None,
        typer.Option(
            help="BIDS derivatives with lesion masks. Default: BIDS_DIR/derivatives/lesions.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    derivatives: Annotated[
        list[Path] | None,
        typer.Option(
            "--derivatives",
            "-d",
            help="Derivatives with brain masks, transforms or tissue maps that replace the steps that make them.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    skull_strip: Annotated[
        str,
        typer.Option(help="'auto' detects whether a scan has a skull; or 'force', or 'skip'.", rich_help_panel=_How),
    ] = "auto",
    skip: Annotated[
        list[str] | None,
        typer.Option(
            help="Steps to skip: bias, crop, registration (if scans are in MNI space), tissue, filling, network.",
            rich_help_panel=_How,
        ),
    ] = None,
    filling: Annotated[
        str, typer.Option(help="Lesion filling: 'local', or 'slice' as in the paper's code.", rich_help_panel=_How)
    ] = "local",
    scaling: Annotated[
        str,
        typer.Option(
            help="Intensity scaling of the network's input: robust, percentile, minmax or max.", rich_help_panel=_How
        ),
    ] = "robust",
    resampling: Annotated[
        str,
        typer.Option(
            help="Resampling of the network's input: 'antialias', or 'cubic' as in the paper's code.",
            rich_help_panel=_How,
        ),
    ] = "antialias",
    seed: Annotated[int, typer.Option(help="Seed of the lesion filling.", rich_help_panel=_How)] = 0,
    n_procs: Annotated[
        int | None,
        typer.Option(
            help="Number of visits at the same time, 1.5 GB each. Default: one per core.", rich_help_panel=_How
        ),
    ] = None,
) -> None:
    """Bring raw T1w and FLAIR scans, and their lesion masks, to MNI space. For research only.

    Correct bias fields, extract brains, register, segment tissue, fill lesions, make the network's input, and write
    a page of quality control for each visit and one for all visits. Finished visits are not processed again.
    """
    from pellucid.bids.participants import odd_folders
    from pellucid.preprocess.inputs import find_visits, read_filters
    from pellucid.preprocess.people import raw_people
    from pellucid.preprocess.settings import Settings
    from pellucid.report.quality.dataset import preprocess_dataset

    if level not in LEVELS:
        raise InputError("the level", f"is {level!r}", f"Give {' or '.join(LEVELS)}")
    _show_people(raw_people(bids_dir), chosen=participant_label or [])  # before hours of work: its table ends them
    settings = settings_of(
        Settings,
        skull_strip=skull_strip,
        skip=tuple(sorted(set(skip or []))),
        filling=filling,
        scaling=scaling,
        resampling=resampling,
        seed=seed,
    )
    every = level == "participant"
    visits = (
        find_visits(
            bids_dir,
            participants=participant_label or [],
            sessions=session_label or [],
            filters=read_filters(bids_filter_file) if bids_filter_file else None,
            lesions=lesions,
            derivatives=derivatives or [],
        )
        if every
        else []
    )
    with console.Bars() as bars:
        done = preprocess_dataset(
            bids_dir,
            out,
            settings,
            visits,
            lesions=lesions,
            workers=worker_count(n_procs, "--n-procs"),
            cores=worker_count(None),
            watch=bars.step,
        )
    for visit in visits:
        for remark in visit.remarks:
            console.note(f"{visit.name}: {remark}")
    for row in done.table.to_dict("records"):
        if row["verdict"] == "fail":
            console.warn(f"{row['participant_id']}: failed quality control and is not used: {row['findings']}")
    console.say(f"written: {out}, a BIDS derivative dataset; open {done.page}. For research only.")
    batch.name_failed(done.failed, len(visits))
    # A folder with scans that no visit is made of is a failure; a row without a folder, or .bidsignore, is none.
    odd = odd_folders(bids_dir) if every and not participant_label else {}
    batch.finish_failed(len(done.failed) + len(odd), len(visits) + len(odd))


def _show_people(people: RawPeople, *, chosen: list[str]) -> None:
    """Print who is not processed and whose row is not used: of everybody, or of those that were chosen."""
    from pellucid.bids.naming import without_prefix

    wanted = set(without_prefix(chosen, "sub-"))
    for name, why in people.left_out.items():
        if not wanted or name in wanted:
            console.warn(f"excluded: {name or 'a row'}: {why}")
    for name, why in people.unknown.items():
        if not wanted or name in wanted:
            console.note(f"{name}: participants.tsv has no usable entry for it: {why}")
    for name, remark in people.remarks:
        console.note(f"{name}: {remark}")


def spread(arguments: list[str]) -> list[str]:
    """Give each value after an option of `SEVERAL` that option for itself, as typer wants it.

    >>> spread(["preprocess", "in", "out", "participant", "--participant-label", "01", "02", "--seed", "1"])[4:]
    ['--participant-label', '01', '--participant-label', '02', '--seed', '1']
    """
    out: list[str] = []
    option: str | None = None
    first = False
    for argument in arguments:
        if argument in SEVERAL:
            option, first = argument, True
        elif argument.startswith("-"):
            option = None
        elif option is not None:
            if not first:
                out.append(option)
            first = False
        out.append(argument)
    return out
