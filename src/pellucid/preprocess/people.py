"""Whom a raw dataset names and preprocessing does not reach, and whose row in participants.tsv cannot be copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pellucid.bids import naming
from pellucid.bids.participants import TABLE, People, ignored, odd_folders, read_people
from pellucid.ground.words import trim


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPeople:
    """The people of a raw dataset, whether or not it has a participants.tsv.

    Parameters
    ----------
    known
        What its table says, if there is one.
    left_out
        Name and reason of everybody of whom no visit is processed.
    unknown
        Name and reason of everybody who is processed and of whom the table says nothing that can be used.
    """

    known: People | None
    left_out: dict[str, str]
    unknown: dict[str, str]

    @property
    def remarks(self) -> tuple[tuple[str, str], ...]:
        """What was mended in the table: subject and words."""
        return self.known.remarks if self.known else ()


def raw_people(raw: Path) -> RawPeople:
    """Compare a raw dataset's participants.tsv, if it has one, with its folders.

    Raises
    ------
    InputError
        As `read_people`: the table cannot be read, lists nobody, or has no column `participant_id`.
    """
    reached = set(naming.participants(raw)) - ignored(raw).keys()
    if not (raw / TABLE).is_file():
        return RawPeople(known=None, left_out=odd_folders(raw) | ignored(raw), unknown={})
    known = read_people(raw)
    left_out = {name: why for name, why in known.problems.items() if name not in reached}
    unknown = {name: why for name, why in known.problems.items() if name in reached}
    return RawPeople(known=known, left_out=left_out, unknown=unknown)


def people_table(known: People | None, names: Sequence[str]) -> pd.DataFrame:
    """Return a participants.tsv of `names`, every cell the text that it was; who has no row has no cells."""
    if known is None:
        return pd.DataFrame({"participant_id": list(names)})
    others = [column for column in known.columns if column != "participant_id"]
    rows: list[dict[str, str | None]] = [
        {"participant_id": name, **{column: known.cells.get(name, {}).get(column) for column in others}}
        for name in names
    ]
    table = pd.DataFrame(rows, columns=["participant_id", *others], dtype="object")
    return table.map(lambda cell: cell if isinstance(cell, str) and trim(cell) else None)
