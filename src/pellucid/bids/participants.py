"""Who is in a BIDS dataset: participants.tsv and the folders beside it, and everybody on whom the two disagree."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.bids import naming
from pellucid.ground.errors import InputError
from pellucid.ground.typed_tables import Row, TypedTable, read_typed
from pellucid.ground.words import guess, trim

TABLE = "participants.tsv"
_SUB = re.compile(r"sub-", re.IGNORECASE)
_LABELS = "Labels in BIDS are letters and digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The people of a dataset.

    Parameters
    ----------
    path
        Its participants.tsv.
    columns
        The columns of that.
    cells
        The cells of everybody who has one row, or several equal ones, by participant and column, as they stand.
    problems
        Whom the table or the folders name and who cannot be used, with the reason and how to mend it. Names that are
        none in BIDS are among them, as they are written.
    remarks
        What was mended in whose row: participant and words.
    """

    path: Path
    columns: tuple[str, ...]
    cells: dict[str, dict[str, str]]
    problems: dict[str, str]
    remarks: tuple[tuple[str, str], ...]


def read_people(root: Path, *, columns: Sequence[str] = ()) -> People:
    """Read participants.tsv of the dataset `root` and compare it with the folders there.

    Blanks around a participant's name are trimmed, with a remark. Otherwise the exact spelling decides: `1` and `sub-1`
    are not the folder sub-001. Who has a problem is in `problems`: rows without a folder, folders without a row, names
    that are none in BIDS, several rows of one participant that differ, rows whose cells have moved, and participants
    whom .bidsignore leaves out.

    Raises
    ------
    InputError
        The table cannot be read, lists nobody, or lacks `participant_id` or one of `columns`.
    """
    table = read_typed(root / TABLE)
    for column in ("participant_id", *columns):
        table.require(column)
    if not table.rows:
        raise InputError(table.path, "lists no participants", "Add one row per participant")
    remarks = [(TABLE, text) for text in table.remarks]
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        raw = row.cells.get("participant_id", "")
        if (name := trim(raw)) != raw:
            remarks.append((name, f"blanks around the participant's name {raw!r} were trimmed"))
        rows.setdefault(name, []).append(row)
    problems = {name: f"{table.path}: {why}" for name, found in rows.items() if (why := _row_problem(name, found))}
    for name, found in rows.items():
        if len(found) > 1 and name not in problems:
            remarks.append((name, f"it stands {len(found)} times in {TABLE}, with equal cells; it counts once"))
    problems |= _without_partner(root, table, list(rows), problems)
    problems |= odd_folders(root) | ignored(root)
    cells = {name: found[0].cells for name, found in rows.items() if _row_problem(name, found) is None}
    return People(path=table.path, columns=table.columns, cells=cells, problems=problems, remarks=tuple(remarks))


def odd_folders(root: Path) -> dict[str, str]:
    """Return what stands for a participant in a dataset's folder and is no folder of BIDS, with the reason.

    Folders `sub-*` with other letters in their label, such as `sub-HC-1`, or other ones with scans in them, such as
    `Sub-12` and `13`; links to nothing; scans and archives that lie there themselves.
    """
    known = {*naming.participants(root)}
    found = {}
    for path in sorted(root.glob("*")):
        if path.name in known or path.name.startswith("."):
            continue
        if path.name.startswith("sub-") and path.is_symlink() and not path.exists():
            found[path.name] = f"{path}: it is a link to {os.readlink(path)}, where there is nothing. Repair the link."
        elif path.is_dir() and (_SUB.match(path.name) or _has_anat(path)):
            better = naming.as_label(path.name)
            example = "" if better in known else f", for example {better}"  # sub-0_1 is not to become another's sub-01
            what = _LABELS if path.name.startswith("sub-") else f"{_LABELS}, behind sub-"
            found[path.name] = f"{path}: {what}. Rename the folder and the files in it{example}."
        elif (
            path.is_file()
            and _SUB.match(path.name)
            and path.name.lower().endswith((".nii", ".nii.gz", ".zip", ".tar", ".tgz"))
        ):
            found[path.name] = f"{path}: it is a file, and scans lie in sub-<label>[/ses-<label>]/anat. Put it there."
    return found


def _has_anat(folder: Path) -> bool:
    """Tell whether a folder holds one of anatomical scans, as a participant's does."""
    return any(path.is_dir() for pattern in ("anat", "ses-*/anat") for path in folder.glob(pattern))


def ignored(root: Path) -> dict[str, str]:
    """Return the participants with a folder whom the dataset's .bidsignore leaves out, with the reason."""
    patterns = naming.read_ignore(root)
    return {
        name: f"{root / naming.IGNORE}: leaves out {name}/. Take that line away to use it."
        for name in naming.participants(root)
        if naming.is_ignored(f"{name}/", patterns)
    }


def _row_problem(name: str, rows: Sequence[Row]) -> str | None:
    """Say why the rows of one name cannot be used, if they cannot."""
    lines = ", ".join(str(row.line) for row in rows)
    if not naming.PARTICIPANT.fullmatch(name):
        what = f"{name!r} in line {lines} is no BIDS participant" if name else f"line {lines} names nobody"
        return f"{what}. Write sub-<letters and digits>{f', for example {naming.as_label(name)}' if name else ''}."
    moved = next((row.problem for row in rows if row.problem), None)
    if moved:
        return f"{name}: {moved}. Give each column one cell."
    differing = [column for column in rows[0].cells if len({trim(row.cells[column]) for row in rows}) > 1]
    if any(column != "participant_id" for column in differing):
        said = "; ".join(
            f"{column} {' and '.join(repr(row.cells[column]) for row in rows)}"
            for column in differing
            if column != "participant_id"
        )
        return f"{name} stands in lines {lines} with different cells ({said}). Keep one row."
    return None


def _without_partner(root: Path, table: TypedTable, names: Sequence[str], known: dict[str, str]) -> dict[str, str]:
    """Return rows without a folder and folders without a row, with the name on the other side that may be meant."""
    folders = [*naming.participants(root), *odd_folders(root)]
    lone_rows = [name for name in names if name not in folders]
    lone_folders = [name for name in folders if name not in names]
    found = {}
    for name in lone_rows:
        said = f"{table.path}: lists {name}, and there is no folder {root / name}."
        found[name] = known.get(name, said).rstrip() + guess(name, lone_folders)
        if name not in known:
            found[name] += " Add the folder, or take the row away."
    for name in lone_folders:
        said = f"{root / name}: has no row in {TABLE}.{guess(name, lone_rows)}"
        found[name] = f"{said} Add one or remove the folder."
    return found
