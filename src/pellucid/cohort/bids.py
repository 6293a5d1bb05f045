"""The BIDS index: which scans a dataset holds, of whom, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from pellucid.bids import naming
from pellucid.bids.clinical import BOUNDS, DURATION, read_duration, read_number, read_sex
from pellucid.bids.participants import TABLE, read_people
from pellucid.bids.prepared import PREPARED
from pellucid.ground.errors import InputError
from pellucid.ground.typed_tables import read_typed
from pellucid.ground.words import some, trim
from pellucid.preprocess.verdicts import Key, not_reached, refused

Modality = Literal["FLAIR", "T1w"]

CLINICAL = tuple(BOUNDS)
"""Numbers that participants.tsv may give, and that a sessions table may give anew for a visit."""

COLUMNS = (
    *("participant_id", "session_id", "group", "age", "sex", "edss", DURATION, "lesion_volume_ml"),
    *("modality", "image", "lesion_mask", "problem", "remark"),
)
"""The columns of the index."""


def index_bids(
    root: Path, *, modality: Modality, lesions: Path | None = None, desc: str | None = None, group: str = "group"
) -> pd.DataFrame:
    """List the scans of one modality in a BIDS dataset, one row a scan.

    Reads participants.tsv (its column `group` is needed; `age`, `sex`, `edss`, `lesion_volume_ml`, and
    `disease_duration_months` or `disease_duration_years`, are used if present;
    `n/a` is missing, and so, with a remark, is a number that nobody can have; sex becomes F, M or O where it is one of
    BIDS's words for them), `sub-X[/ses-Y]/anat/*_FLAIR.nii[.gz]` or `*_T1w`, `sub-X/sub-X_sessions.tsv` (its age, edss
    and lesion_volume_ml at a visit go before those of the participant), and lesion masks
    `sub-X[/ses-Y]/anat/*_label-lesion*_mask.nii[.gz]`.

    A derivative dataset (`pellucid preprocess`) holds several images of a visit: those in MNI space at full resolution
    count, brain-extracted (`desc-brain`) unless `desc` asks for others; lesion masks lie beside them. Visits that
    failed its quality control have a problem.

    What cannot be used does not vanish: such a row has a text in column `problem`, which `build_store` carries on. What
    was mended (blanks that were trimmed, an age that is none, a mask that was not taken) stands in column `remark`.

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
        No participants.tsv or no column of groups in it, nobody listed, a derivative dataset whose images all have
        other names.
    """
    root = Path(root).resolve()
    people = read_people(root, columns=[group])
    derived = naming.is_derivative(root)
    masks = root if derived and lesions is None else _lesion_root(root, lesions)
    wanted: dict[str, object] = {"suffix": modality} | ({"desc": desc} if desc else {})
    if derived:
        wanted = dict(PREPARED) | wanted
    refusals = refused(root)
    rows: list[dict[str, object]] = []
    for name, cells in people.cells.items():
        person, remarks = _person(name, cells, group)
        remarks = [text for who, text in people.remarks if who == name] + remarks
        if name in people.problems:
            why = [reason for (who, _), reason in refusals.items() if who == name] or [people.problems[name]]
            rows.append(person | {"problem": " ".join(why), "remark": _joined(remarks)})
            continue
        rows += _scans(root, masks, person, wanted, remarks, refusals)
    if derived and not any("image" in row for row in rows):
        _refuse_names(root, people.cells, wanted)
    strays = not_reached(root) | people.problems
    strays = {name: why for name, why in strays.items() if name not in people.cells}
    rows += [{"participant_id": name or None, "problem": why} for name, why in strays.items()]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(modality=modality)
    text = [name for name in COLUMNS if name not in CLINICAL]
    table = table.astype(dict.fromkeys(text, "string") | dict.fromkeys(CLINICAL, "float64"))
    table["participant_id"] = table["participant_id"].fillna("(nobody)")
    return table.sort_values(["participant_id", "session_id"], ignore_index=True)


def _person(name: str, cells: dict[str, str], group: str) -> tuple[dict[str, object], list[str]]:
    """Return what the table says of a person, and what was mended or is missing in it."""
    said, remarks = _numbers(cells)
    raw = cells[group]
    if trim(raw) != raw:
        remarks.insert(0, f"blanks around the group {raw!r} were trimmed")
    # Other words for "missing" may be the name of a group: who asks for groups knows.
    known = None if trim(raw) in ("", "n/a") else trim(raw)
    return {"participant_id": name, "group": known, "sex": read_sex(cells.get("sex"))} | said, remarks


def _numbers(cells: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    """Return the clinical numbers in a row, and what is to be reported of them."""
    found: dict[str, object] = {}
    remarks = []
    for column in CLINICAL:
        if column != DURATION:
            found[column], remark = read_number(column, cells.get(column))
            remarks += [remark] if remark else []
    found[DURATION], said = read_duration(cells)
    remarks += said
    return found, remarks


def _joined(remarks: Sequence[str]) -> str | None:
    return "; ".join(remarks) or None


def _lesion_root(root: Path, lesions: Path | None) -> Path:
    if lesions is None:
        return root / "derivatives" / "lesions"
    if not lesions.is_dir():
        raise InputError(lesions, "the folder of lesion masks does not exist", "Check the path")
    return lesions.resolve()


def _scans(
    root: Path,
    masks: Path,
    person: dict[str, object],
    wanted: dict[str, object],
    remarks: list[str],
    refusals: Mapping[Key, str],
) -> list[dict[str, object]]:
    """Return the rows of one participant; one row with a problem if nothing of theirs can be used."""
    subject, modality = str(person["participant_id"]), str(wanted["suffix"])
    try:
        visits = _visits(root / subject / f"{subject}_sessions.tsv")
    except InputError as error:  # costs the ages of this participant's visits, and nobody else
        visits, remarks = {}, [*remarks, f"{error} It is not used"]
    patterns = naming.read_ignore(root)
    rows, missed = list[dict[str, object]](), list[str]()
    for session, anat in naming.visits(root, subject):
        every = naming.images(anat, wanted)
        images, out = naming.without_ignored(root, every, patterns)
        refusal = refusals.get((subject, session))
        if not images:
            missed += [refusal] if refusal else out or [f"{anat.relative_to(root)} holds no {modality}"]
            continue
        drawn, other = naming.lesion_masks(masks / anat.relative_to(root), raw=anat)
        drawn, words = naming.masks_of(drawn, images[:1], every)
        stated, found_out = visits.get(session, ({}, []))
        row = person | {"session_id": session} | stated | {"image": str(images[0])}
        row["lesion_mask"] = str(drawn[0]) if drawn else None
        words += [] if drawn else other
        notes = [*remarks, *found_out, *out, *(f"not taken as its lesion mask: {one}" for one in words)]
        problems = naming.strangers(anat, subject, session, (modality,))
        for what, found in ((f"{modality} image", images), ("lesion mask", drawn)):
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                problems.append(f"{found[0].parent}: has more than one {what} ({names}). Keep one.")
        problems += [refusal] if refusal else []
        rows.append(row | ({"problem": " ".join(problems)} if problems else {}) | {"remark": _joined(notes)})
    missed += [f"there is {path.relative_to(root)}: {why}" for path, why in naming.untaken(root, subject, (modality,))]
    lone = sorted(str(name) for name in visits.keys() - {session for session, _ in naming.visits(root, subject)})
    if rows:
        more = [f"{subject}_sessions.tsv lists {some(lone)}, of which there is no folder"] if lone else []
        more += [f"not used: {one}" for one in missed]
        rows[0]["remark"] = _joined([*([str(rows[0]["remark"])] if rows[0]["remark"] else []), *more])
    else:
        there = f" ({'; '.join(missed)})" if missed else ""
        problem = f"{root / subject}: has no {modality} image{there}. Add it, or take {subject} off {TABLE}."
        rows = [person | {"problem": problem, "remark": _joined(remarks)}]
    if person["group"] is None:
        for row in rows:
            row["problem"] = f"{root / TABLE}: {subject} has no group. State it or remove the row."
    return rows


def masks_of_nobody(root: Path, rows: pd.DataFrame, *, lesions: Path | None = None) -> list[tuple[str, str]]:
    """Return the lesion masks that no row of `index_bids(root)` has or speaks of: whose they are, and words on them."""
    masks = _lesion_root(root.resolve(), lesions)
    taken = set(rows["lesion_mask"].dropna())
    said = "\n".join([*rows["remark"].dropna(), *rows["problem"].dropna()])
    found = []
    for folder in sorted(masks.glob("sub-*")) if masks != root.resolve() else ():
        anats = [anat for _, anat in naming.visits(masks, folder.name)]
        every = [path for anat in anats for path in naming.lesion_masks(anat)[0]] + naming.misplaced_masks(
            masks, folder.name
        )
        spare = [str(path) for path in every if str(path) not in taken and path.name not in said]
        if spare:
            found.append((folder.name, f"not taken, for there is no scan of that visit: {some(spare)}"))
    return found


def _refuse_names(root: Path, people: Iterable[str], wanted: dict[str, object]) -> None:
    """Raise InputError if a derivative dataset has images of the modality, none of which is named as `wanted`."""
    anats = [anat for name in people for _, anat in naming.visits(root, name)]
    others = [path for anat in anats for path in naming.images(anat, {"suffix": wanted["suffix"]})]
    if others:
        name = f"sub-X[_ses-Y]_space-{wanted['space']}_desc-{wanted['desc']}_{wanted['suffix']}.nii[.gz]"
        raise InputError(
            root,
            f"no image of this derivative dataset is named {name}, without res-; there is {others[0].name}",
            "Run `pellucid preprocess` on the raw dataset, or give brain-extracted images in that space such names",
        )


def _visits(path: Path) -> dict[str | None, tuple[dict[str, object], list[str]]]:
    """Return the clinical numbers that a sessions table states, by session, and what is to be reported of them."""
    if not path.exists():
        return {}
    table = read_typed(path)
    table.require("session_id")
    found: dict[str | None, tuple[dict[str, object], list[str]]] = {}
    for row in table.rows:
        numbers, remarks = _numbers(row.cells)
        session = trim(row.cells.get("session_id", ""))
        if row.problem or session in found:
            numbers, remarks = {}, [f"{path.name}: {row.problem or f'{session} stands there twice'}; it is not used"]
        found[session] = ({name: value for name, value in numbers.items() if value is not None}, remarks)
    return found
