"""The BIDS index: which scans a dataset holds, of whom, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd

from pellucid import bids
from pellucid.errors import InputError
from pellucid.files import read_tsv
from pellucid.preprocess.verdicts import refused

Modality = Literal["FLAIR", "T1w"]

CLINICAL = ("age", "edss", "lesion_volume_ml")
"""Numbers that participants.tsv may give, and that a sessions table may give anew for a visit."""

COLUMNS = (
    *("participant_id", "session_id", "group", "age", "sex", "edss", "lesion_volume_ml"),
    *("modality", "image", "lesion_mask", "problem"),
)
"""The columns of the index."""

_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O", "n/a": None, "": None}


def index_bids(
    root: Path, *, modality: Modality, lesions: Path | None = None, desc: str | None = None, group: str = "group"
) -> pd.DataFrame:
    """List the scans of one modality in a BIDS dataset, one row a scan.

    Reads participants.tsv (its column `group` is needed; `age`, `sex`, `edss`, `lesion_volume_ml` are used if present;
    `n/a` is missing; sex becomes F, M or O where it is one of BIDS's words for them),
    `sub-X[/ses-Y]/anat/*_FLAIR.nii[.gz]` or `*_T1w`, `sub-X/sub-X_sessions.tsv` (its age, edss and lesion_volume_ml at
    a visit go before those of the participant), and lesion masks `sub-X[/ses-Y]/anat/*_label-lesion*_mask.nii[.gz]`.

    A derivative dataset (`pellucid preprocess`) holds several images of a visit: those in MNI space at full resolution
    count, brain-extracted (`desc-brain`) unless `desc` asks for others; lesion masks lie beside them. Visits that
    failed its quality control have a problem.

    What cannot be used does not vanish: such a row has a text in column `problem`, which `build_store` carries on.

    Parameters
    ----------
    root
        The dataset.
    modality
        The suffix of the images.
    lesions
        The derivative dataset with the lesion masks; `root/derivatives/lesions` where that exists if None.
    desc
        The entity `desc` that images must have, such as `filled`; any if None.
    group
        Another column of participants.tsv that gives the groups.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, sorted by participant and session. `image` and `lesion_mask` are absolute paths; session_id,
        numbers, sex and lesion_mask are missing (NA) where the dataset does not state them.

    Raises
    ------
    InputError
        No participants.tsv or no column of groups in it, nobody listed, a participant twice, a number that is none, a
        derivative dataset whose images all have other names.
    """
    root = Path(root).resolve()
    people = _participants(root / "participants.tsv", group)
    derived = bids.is_derivative(root)
    masks = root if derived and lesions is None else _lesion_root(root, lesions)
    wanted: dict[str, object] = {"suffix": modality} | ({"desc": desc} if desc else {})
    if derived:
        wanted = {"desc": "brain", "space": "MNI152NLin6Asym", "res": None} | wanted
    refusals = refused(root)
    rows: list[dict[str, object]] = []
    for person in people.to_dict("records"):
        scans = _scans(root, masks, {str(key): value for key, value in person.items()}, wanted)
        for scan in scans:
            session = None if scan.get("session_id") is None else str(scan["session_id"])
            if (reason := refusals.get((str(person["participant_id"]), session))) and "problem" not in scan:
                scan["problem"] = reason
        rows += scans
    if derived and not any("image" in row for row in rows):
        _refuse_names(root, people["participant_id"], wanted)
    listed = set(people["participant_id"])
    for folder in sorted(root.glob("sub-*")):
        if folder.is_dir() and folder.name not in listed:
            problem = f"{folder}: has no row in participants.tsv. Add one or remove the folder."
            rows.append({"participant_id": folder.name, "problem": problem})
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(modality=modality)
    text = [name for name in COLUMNS if name not in CLINICAL]
    table = table.astype(dict.fromkeys(text, "string") | dict.fromkeys(CLINICAL, "float64"))
    return table.sort_values(["participant_id", "session_id"], ignore_index=True)


def _participants(path: Path, group: str) -> pd.DataFrame:
    """Read and check participants.tsv; return participant_id, group, sex and the clinical numbers."""
    people = read_tsv(path, names=[group])
    for column in ("participant_id", group):
        if column not in people:
            found = ", ".join(people.columns)
            raise InputError(path, f"has no column {column!r}", f"Its columns are {found}; add or rename one")
    if people.empty:
        raise InputError(path, "lists nobody", "Add one row a participant")
    named = people["participant_id"].astype("string")
    for name in named:
        if pd.isna(name) or not bids.PARTICIPANT.fullmatch(name):
            raise InputError(path, f"{name!r} is no BIDS participant", "Write sub-<letters and digits>")
    twice = sorted(set(named[named.duplicated()]))
    if twice:
        names = ", ".join(twice[:10])
        raise InputError(path, f"lists {names} more than once ({len(twice)} participants)", "Keep one row each")
    people = people.assign(group=people[group])
    if "sex" in people:
        people["sex"] = people["sex"].map(lambda word: _SEXES.get(word.strip().lower(), word), na_action="ignore")
    kept = people[[name for name in ("participant_id", "group", "sex", *CLINICAL) if name in people]]
    return _numbers(kept, path)


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table with its clinical columns as numbers."""
    table = table.copy()
    for column in CLINICAL:
        if column in table:
            numbers = pd.to_numeric(table[column], errors="coerce")
            wrong = table[column][numbers.isna() & table[column].notna()]
            if len(wrong):
                raise InputError(path, f"{column} {wrong.iloc[0]!r} is not a number", "Write a number or n/a")
            table[column] = numbers.astype("float64")
    return table


def _lesion_root(root: Path, lesions: Path | None) -> Path:
    if lesions is None:
        return root / "derivatives" / "lesions"
    if not lesions.is_dir():
        raise InputError(lesions, "the folder of lesion masks does not exist", "Check the path")
    return lesions.resolve()


def _scans(root: Path, masks: Path, person: dict[str, object], wanted: dict[str, object]) -> list[dict[str, object]]:
    """Return the rows of one participant; one row with a problem if nothing of theirs can be used."""
    subject, modality = str(person["participant_id"]), wanted["suffix"]
    visits = _visits(root / subject / f"{subject}_sessions.tsv")
    rows = []
    for session, anat in bids.visits(root, subject):
        images = bids.images(anat, wanted)
        if not images:
            continue
        row = person | {"session_id": session} | visits.get(session, {})
        drawn = bids.images(masks / anat.relative_to(root), {"suffix": "mask", "label": ["lesion", "lesions"]})
        row |= {"image": str(images[0]), "lesion_mask": str(drawn[0]) if drawn else None}
        for what, found in ((f"{modality} image", images), ("lesion mask", drawn)):
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                row["problem"] = f"{found[0].parent}: has more than one {what} ({names}). Keep one."
        rows.append(row)
    if not rows:
        problem = f"{root / subject}: has no {modality} image. Add it, or take {subject} off participants.tsv."
        rows = [person | {"problem": problem}]
    if pd.isna(person["group"]):  # type: ignore[call-overload]
        for row in rows:
            row["problem"] = f"{root / 'participants.tsv'}: {subject} has no group. State it or remove the row."
    return rows


def _refuse_names(root: Path, people: Iterable[str], wanted: dict[str, object]) -> None:
    """Raise InputError if a derivative dataset has images of the modality, none of which is named as `wanted`."""
    anats = [anat for name in people for _, anat in bids.visits(root, name)]
    others = [path for anat in anats for path in bids.images(anat, {"suffix": wanted["suffix"]})]
    if others:
        name = f"sub-X[_ses-Y]_space-{wanted['space']}_desc-{wanted['desc']}_{wanted['suffix']}.nii[.gz]"
        raise InputError(
            root,
            f"no image of this derivative dataset is named {name}, without res-; there is {others[0].name}",
            "Run `pellucid preprocess` on the raw dataset, or name brain-extracted images in that space so",
        )


def _visits(path: Path) -> dict[str | None, dict[str, object]]:
    """Return the clinical numbers that a sessions table states, by session."""
    if not path.exists():
        return {}
    table = read_tsv(path)
    if "session_id" not in table:
        raise InputError(path, "has no column 'session_id'", "Add it, with ses-<label> in each row")
    table = _numbers(table, path)
    known = [name for name in CLINICAL if name in table]
    records = table.to_dict("records")
    return {str(row["session_id"]): {name: row[name] for name in known if pd.notna(row[name])} for row in records}
