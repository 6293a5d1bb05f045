"""Write a simulated cohort as a BIDS dataset: images, masks, tables, and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.bids.naming import description
from pellucid.bids.prepared import SPACE
from pellucid.ground.arrays import AnyArray
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_json, write_text, write_tsv
from pellucid.ground.processes import completed
from pellucid.ground.progress import Progress
from pellucid.ground.staying import staying
from pellucid.image.nifti import write_volume
from pellucid.simulate.anatomy import Anatomy, load_anatomy
from pellucid.simulate.kind import Head
from pellucid.simulate.kinds import KINDS, people_of
from pellucid.simulate.people import Person
from pellucid.simulate.settings import Settings
from pellucid.simulate.subject import Fields, shape_subject

_MASK = f"space-{SPACE}_label-lesion_mask"


def simulate_cohort(out: Path, settings: Settings, *, workers: int = 1, progress: Progress | None = None) -> None:
    """Simulate patients and controls under `out`; go on where an earlier call was stopped.

    Scans lie in MNI152NLin6Asym space, brain only, background 0; lesion masks, if the kind has lesions, under
    `derivatives/lesions`, the truth under `derivatives/truth`. The same settings give the same files, whatever the
    number of workers.

    Raises
    ------
    InputError
        `out` holds something else, or a cohort of other settings.
    """
    _claim(out, settings)
    with staying(out):
        _make(out, settings, people_of(settings), workers, progress)


def _make(out: Path, settings: Settings, people: list[Person], workers: int, progress: Progress | None) -> None:
    """Simulate whom `out` lacks, then write what they have in common."""
    missing = [person for person in people if not _truth_path(out, person).is_file()]
    done = len(people) - len(missing)
    if progress:
        progress(done, len(people), "simulate subjects")
    for participant_id in _run(out, settings, missing, workers):
        done += 1
        if progress:
            progress(done, len(people), f"simulated {participant_id}")
    _write_tables(out, settings, people)
    _write_truth(out, settings)


def _claim(out: Path, settings: Settings) -> None:
    """Mark `out` as this cohort's, or refuse a folder that is not."""
    described = asdict(settings)
    path = out / "derivatives" / "truth" / "settings.json"
    if path.is_file():
        found = read_json(path)
        differing = sorted(key for key in described | found if described.get(key) != found.get(key))
        if differing:
            raise InputError(
                out,
                "contains a cohort simulated with other settings "
                f"({', '.join(f'{k}: {found.get(k)} there, {described.get(k)} asked' for k in differing)})",
                "Choose another folder, or delete this one",
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            out, "the folder is not empty and does not contain a simulated cohort", "Choose an empty folder"
        )
    write_json(path, described)


def _run(out: Path, settings: Settings, people: list[Person], workers: int) -> Iterator[str]:
    """Make the people's files, in this process or in several; yield each when its files are whole."""
    if workers <= 1 or len(people) <= 1:
        for person in people:
            yield _make_person(out, settings, person)
        return
    make = partial(_make_person, out, settings)
    for _, name in completed(make, people, workers=workers, start=_start_worker):
        yield name


def _start_worker() -> None:
    torch.set_num_threads(1)


@lru_cache(maxsize=2)
def _average(voxel_size: float) -> tuple[Anatomy, Fields]:
    anatomy = load_anatomy(voxel_size)
    return anatomy, Fields.of(anatomy)


def _truth_path(out: Path, person: Person) -> Path:
    return out / "derivatives" / "truth" / f"{person.participant_id}.json"


def _make_person(out: Path, settings: Settings, person: Person) -> str:
    """Write one person's images; their truth file comes last and says that the person is done."""
    kind, (anatomy, fields) = KINDS[settings.kind], _average(settings.voxel_size)
    number = int(person.participant_id[-4:])
    truth: dict[str, Any] = {"group": person.group, "visits": []}
    for visit, traits in enumerate(person.traits, start=1):
        # The same shape at each visit but for the traits; a new scan each time.
        rng = np.random.default_rng([settings.seed, 21, number])
        tissues, warp = shape_subject(rng, anatomy, fields, traits)
        scanner = np.random.default_rng([settings.seed, 22, number, visit])
        scans = kind.scans(settings, Head(person, traits, anatomy, tissues, warp, rng, scanner))
        if scans.lesions is not None:
            folder = out / "derivatives" / "lesions" / person.participant_id / "anat"
            mask = _paste(anatomy, scans.lesions)
            write_volume(folder / f"{person.participant_id}_{_MASK}.nii.gz", mask, anatomy.full, np.uint8)
        for modality, image in scans.images.items():
            path = _scan_path(out, person, visit if kind.sessions else None, modality)
            write_volume(path, _paste(anatomy, np.rint(image)), anatomy.full, np.int16)
        entry = {"age": person.ages[visit - 1], "traits": traits.to_json(), **scans.noted}
        truth["visits"].append(entry)
    write_json(_truth_path(out, person), truth)
    return person.participant_id


def _scan_path(out: Path, person: Person, visit: int | None, modality: str) -> Path:
    """Return where a scan lies: in the folder of its session, if it is of a numbered visit."""
    name = person.participant_id
    if visit is None:
        return out / name / "anat" / f"{name}_{modality}.nii.gz"
    session = f"ses-{visit:02d}"
    return out / name / session / "anat" / f"{name}_{session}_{modality}.nii.gz"


def _paste(anatomy: Anatomy, box: AnyArray) -> AnyArray:
    """Put a box of voxels back into the full field of view, zeros around it."""
    full = np.zeros(anatomy.full.shape, dtype=box.dtype)
    full[tuple(slice(c, c + n) for c, n in zip(anatomy.corner, box.shape, strict=True))] = box
    return full


_COLUMNS = {
    "group": {"Description": "Diagnosis (simulated)"},
    "age": {"Description": "Age at the first visit", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
    "edss": {"Description": "Expanded disability status scale; patients only"},
    "disease_duration_months": {"Description": "Disease duration; patients only", "Units": "month"},
    "lesion_volume_ml": {"Description": "Volume of the lesion mask in MNI space", "Units": "mL"},
}


def _write_tables(out: Path, settings: Settings, people: list[Person]) -> None:
    """Write participants and dataset descriptions, once every person is there."""
    kind = KINDS[settings.kind]
    rows = []
    for person in people:
        row = person.row()
        if kind.lesions:
            row["lesion_volume_ml"] = read_json(_truth_path(out, person))["visits"][0]["lesion_volume_ml"]
        rows.append(row)
    table = pd.DataFrame(rows).dropna(axis="columns", how="all")
    write_tsv(out / "participants.tsv", table)
    write_json(out / "participants.json", {k: v for k, v in _COLUMNS.items() if k in table.columns})
    if kind.sessions:
        for person in people:
            names = [f"ses-{visit:02d}" for visit in range(1, len(person.ages) + 1)]
            write_tsv(
                out / person.participant_id / f"{person.participant_id}_sessions.tsv",
                pd.DataFrame({"session_id": names, "age": person.ages}),
            )
    if kind.lesions:
        write_json(
            out / "derivatives" / "lesions" / "dataset_description.json",
            description("Lesion masks of a simulated cohort", "derivative", License="CC0"),
        )
    write_text(
        out / "README",
        f"A simulated cohort of {kind.disease} and controls. No image shows a real person.\n\nImages are "
        "brain-extracted and lie in MNI152NLin6Asym space, with bias field and noise as a scanner leaves\nthem. What "
        "differs between the groups, and where, is under derivatives/truth.\n",
    )
    write_json(
        out / "dataset_description.json",
        description(f"Simulated cohort: {kind.disease} and controls", "raw", License="CC0", Authors=["Pellucid"]),
    )


def _write_truth(out: Path, settings: Settings) -> None:
    """Write what differs between the groups and where, on the average brain."""
    anatomy, _ = _average(settings.voxel_size)
    found = KINDS[settings.kind].truth(settings, anatomy)
    truth = out / "derivatives" / "truth"
    for name, values in found.maps.items():
        path = truth / f"tpl-{SPACE}_desc-{name}_probseg.nii.gz"
        write_volume(path, _paste(anatomy, values), anatomy.full, np.float32)
    write_json(truth / "truth.json", {"differs_between_groups": found.differs, "in_both_groups": found.same})
    write_json(
        truth / "dataset_description.json",
        description("The truth behind a simulated cohort", "derivative", License="CC0"),
    )
