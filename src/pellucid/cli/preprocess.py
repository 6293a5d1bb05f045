"""`pellucid preprocess`: raw T1w and FLAIR to MNI space and to what a network reads, as a BIDS App."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import batch, console
from pellucid.cli.options import worker_count
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.lock import locked
from pellucid.ground.numbers import count
from pellucid.ground.staying import check_staying, staying

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
    out: Annotated[Path, typer.Argument(help="The derivative dataset to write; unfinished work there is finished.")],
    level: Annotated[
        str, typer.Argument(help="'participant': process visits. 'group': make the tables and pages anew.")
    ],
    *,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(
            "--participant-label",
            "--participant_label",
            help="Only these, with or without 'sub-'.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option(help="Only these, with or without 'ses-'.", rich_help_panel=_Choose),
    ] = None,
    bids_filter_file: Annotated[
        Path | None,
        typer.Option(
            help='JSON that chooses among several scans: {"flair": {"acquisition": "3d"}, "t1w": {"run": 1}}.',
            rich_help_panel=_Choose,
        ),
    ] = None,
    lesions: Annotated[
        Path | None,
        typer.Option(
            help="BIDS derivatives with lesion masks; BIDS_DIR/derivatives/lesions if not given.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    derivatives: Annotated[
        list[Path] | None,
        typer.Option(
            "--derivatives",
            "-d",
            help="Derivatives whose brain masks, transforms and tissue maps take the steps' places.",
            rich_help_panel=_Choose,
        ),
    ] = None,
    skull_strip: Annotated[
        str,
        typer.Option(help="'auto' sees whether a scan has its skull, 'force', or 'skip'.", rich_help_panel=_How),
    ] = "auto",
    skip: Annotated[
        list[str] | None,
        typer.Option(
            help="Steps to leave out: bias, crop, registration (scans lie in MNI space), tissue, filling, network.",
            rich_help_panel=_How,
        ),
    ] = None,
    filling: Annotated[
        str, typer.Option(help="'local', or 'slice' as the paper's code did.", rich_help_panel=_How)
    ] = "local",
    scaling: Annotated[
        str, typer.Option(help="Of the network's input: robust, percentile, minmax or max.", rich_help_panel=_How)
    ] = "robust",
    resampling: Annotated[
        str,
        typer.Option(help="Of the network's input: 'antialias', or 'cubic' as the paper's code.", rich_help_panel=_How),
    ] = "antialias",
    seed: Annotated[int, typer.Option(help="Of the lesion filling.", rich_help_panel=_How)] = 0,
    n_procs: Annotated[
        int | None,
        typer.Option(help="Visits at a time, 1.5 GB each; one a core if not given.", rich_help_panel=_How),
    ] = None,
) -> None:
    """Bring raw T1w and FLAIR scans, and their lesion masks, to MNI space. For research only.

    Corrects bias fields, extracts brains, registers, maps tissue, fills lesions, makes the network's input, and writes
    a page of quality control for each visit and one for all. What is done is not done again.
    """
    from pellucid.bids.participants import odd_folders
    from pellucid.preprocess.group import describe_dataset, summarise
    from pellucid.preprocess.inputs import find_visits, read_filters
    from pellucid.preprocess.outputs import LOGS
    from pellucid.preprocess.people import raw_people
    from pellucid.preprocess.settings import Settings
    from pellucid.report.quality.group import write_group_page

    if level not in LEVELS:
        raise InputError("the level", f"is {level!r}", f"Give {' or '.join(LEVELS)}")
    failed: dict[Path, str] = {}
    visits: list[Any] = []
    people = raw_people(bids_dir)  # before hours of work: its table is needed at their end
    _show_people(people, chosen=participant_label or [])
    settings = Settings(
        skull_strip=skull_strip,  # type: ignore[arg-type]
        skip=tuple(sorted(set(skip or []))),  # type: ignore[arg-type]
        filling=filling,
        scaling=scaling,  # type: ignore[arg-type]
        resampling=resampling,  # type: ignore[arg-type]
        seed=seed,
    )
    if level == "participant":
        visits = find_visits(
            bids_dir,
            participants=participant_label or [],
            sessions=session_label or [],
            filters=read_filters(bids_filter_file) if bids_filter_file else None,
            lesions=lesions,
            derivatives=derivatives or [],
        )
        describe_dataset(out, bids_dir, lesions)
    with staying(out) if out.is_dir() else nullcontext():
        if level == "participant":
            failed = _process(visits, out, settings, worker_count(n_procs, "--n-procs"))
        check_staying(out)
        # Other jobs may end now too: who comes last writes of all.
        with locked(out / LOGS, name=".group.lock", wait=True) if (out / LOGS).is_dir() else nullcontext():
            table = summarise(out, bids_dir)
            page = write_group_page(out)
    for visit in visits:
        for remark in visit.remarks:
            console.note(f"{visit.name}: {remark}")
    for row in table.to_dict("records"):
        if row["verdict"] == "fail":
            console.warn(f"{row['participant_id']}: failed quality control, and is not used: {row['findings']}")
    console.say(f"written: {out}, a BIDS derivative dataset; look at {page}. For research only.")
    batch.name(failed, len(visits))
    # A folder with scans that no visit is made of is a failure; a row without a folder, or .bidsignore, is none.
    odd = odd_folders(bids_dir) if level == "participant" and not participant_label else {}
    batch.finish(failed | {Path(name): why for name, why in odd.items()}, len(visits) + len(odd))


def _show_people(people: RawPeople, *, chosen: list[str]) -> None:
    """Print who is not processed and whose row is not used: of everybody, or of those that were chosen."""
    from pellucid.bids.naming import without_prefix

    wanted = set(without_prefix(chosen, "sub-"))
    for name, why in people.left_out.items():
        if not wanted or name in wanted:
            console.warn(f"left out: {name or 'a row'}: {why}")
    for name, why in people.unknown.items():
        if not wanted or name in wanted:
            console.note(f"{name}: participants.tsv says nothing of it that can be used: {why}")
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


def _process(visits: list[Any], out: Path, settings: Any, workers: int) -> dict[Path, str]:
    """Process visits and draw their pages; return what was wrong with those that failed."""
    from pellucid.preprocess.run import preprocess as run
    from pellucid.preprocess.run import visit_lock
    from pellucid.report.quality.visit import write_visit_page

    failed: dict[Path, str] = {}
    cores = worker_count(None)
    with console.Bars() as bars, bars.step(f"preprocessing {count(len(visits), 'visit')}") as progress:
        for done, record in enumerate(run(visits, out, settings, workers=workers, cores=cores), start=1):
            name = record["visit"]
            if record["state"] == "failed":
                failed[Path(name)] = record["error"]
            try:
                with visit_lock(out, name):
                    if record["fresh"] or not (out / f"{name}.html").is_file():
                        write_visit_page(out, record)
            except (PellucidError, OSError) as error:
                failed[Path(name)] = f"its page could not be drawn: {error}"
            progress(done, len(visits), f"{name} {record['state']}")
    return failed
