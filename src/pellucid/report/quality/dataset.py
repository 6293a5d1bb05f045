"""A raw dataset preprocessed, with a page of quality control for each visit and one for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pellucid.ground.errors import PellucidError
from pellucid.ground.lock import locked
from pellucid.ground.numbers import count
from pellucid.ground.progress import Progress, unwatched
from pellucid.ground.staying import check_staying, staying
from pellucid.preprocess.group import describe_dataset, summarise
from pellucid.preprocess.inputs import Visit
from pellucid.preprocess.outputs import LOGS
from pellucid.preprocess.run import preprocess, visit_lock
from pellucid.preprocess.settings import Settings
from pellucid.report.quality.group import write_group_page
from pellucid.report.quality.visit import write_visit_page

Watch = Callable[[str], AbstractContextManager[Progress]]
"""Shows one step of work, by its label, from its start to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessed:
    """What became of a dataset.

    Parameters
    ----------
    table
        What quality.tsv says of every visit of the dataset, whenever it was processed.
    page
        The page of all visits.
    failed
        What was wrong with each visit that failed now.
    """

    table: pd.DataFrame
    page: Path
    failed: dict[Path, str]


def preprocess_dataset(
    raw: Path,
    out: Path,
    settings: Settings,
    visits: Sequence[Visit],
    *,
    lesions: Path | None = None,
    workers: int = 1,
    cores: int = 1,
    watch: Watch = lambda _: nullcontext(unwatched),
) -> Preprocessed:
    """Process visits of a raw dataset into the derivative dataset `out`, each with its page; then write those of all.

    Parameters
    ----------
    raw, out
        The datasets. What is done in `out` is not done again.
    settings
        How.
    visits
        As `pellucid.preprocess.inputs.find_visits` finds them; without any, tables and page of all are made anew.
    lesions
        The derivative dataset that the lesion masks are of, if it was named.
    workers, cores
        As in `pellucid.preprocess.run.preprocess`.
    watch
        Opened with a label when visits are processed; what it yields is called as the work goes on.

    Raises
    ------
    InputError
        `raw` or `out` cannot be used.
    """
    failed: dict[Path, str] = {}
    if visits:
        describe_dataset(out, raw, lesions)
    with staying(out) if out.is_dir() else nullcontext():
        if visits:
            with watch(f"preprocessing {count(len(visits), 'visit')}") as progress:
                failed = _process(visits, out, settings, workers=workers, cores=cores, progress=progress)
        check_staying(out)
        # Other jobs may end now too: who comes last writes of all.
        with locked(out / LOGS, name=".group.lock", wait=True) if (out / LOGS).is_dir() else nullcontext():
            table = summarise(out, raw)
            page = write_group_page(out)
    return Preprocessed(table=table, page=page, failed=failed)


def _process(
    visits: Sequence[Visit], out: Path, settings: Settings, *, workers: int, cores: int, progress: Progress
) -> dict[Path, str]:
    """Process visits and draw their pages; return what was wrong with those that failed."""
    failed: dict[Path, str] = {}
    for done, record in enumerate(preprocess(visits, out, settings, workers=workers, cores=cores), start=1):
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
