"""What the user names on the command line: images and masks, as files or folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pellucid.bids import naming
from pellucid.bids.participants import ignored, odd_folders
from pellucid.bids.prepared import PREPARED, SPACE
from pellucid.cli import console
from pellucid.ground.errors import InputError
from pellucid.ground.opening import missing_file
from pellucid.ground.words import some
from pellucid.image.nifti import SUFFIXES, stem
from pellucid.maps.batch import no_images
from pellucid.preprocess.verdicts import not_reached, refused

_LESION = re.compile(r"(?:^|[_-])lesions?(?:$|[_-])", re.IGNORECASE)
_DESCRIPTION = "dataset_description.json"

_MASK = re.compile(r"(?:^|[_-])(?:d?seg|mask|roi|lesions?|labels?)(?:$|[_-])", re.IGNORECASE)


def expand(paths: Sequence[Path], *, deep: bool = False, modality: str | None = None) -> list[Path]:
    """Return the NIfTI files that the paths name, a folder standing for every *.nii and *.nii.gz directly in it.

    With `modality`, a BIDS dataset stands for its scans of that modality; one that `pellucid preprocess` wrote, for
    those in MNI space. Visits that failed its quality control are excluded, with a message. Of a folder with prepared
    scans (`space-MNI152NLin6Asym`, `desc-brain`) those of the modality count alone, and the others are named.

    With `deep`, a folder without any stands for those in its sub-folders, as in a BIDS dataset. In a folder, averages
    of a group (group-*) and second copies of maps (*_res-native_*) are left out. A file that does not exist stays in
    the list, and so does a folder without images beside other inputs: whoever reads it says what is wrong. A file named
    twice counts once, however its path is written.

    Raises
    ------
    InputError
        For a lone folder without NIfTI files.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = _dataset(path, modality) if modality and (path / _DESCRIPTION).is_file() else []
            loose = _images(path.iterdir())
            _say_unread(path)
            inside = inside or (_prepared(path, loose, modality) if modality else loose)
            inside = inside or (_images(path.rglob("*")) if deep else [])
            if not inside and len(paths) == 1:
                raise no_images(path)
            found |= dict.fromkeys(inside or [path])
        else:
            found[path] = None
    once: dict[str, Path] = {}
    for path in found:
        once.setdefault(os.path.abspath(path), path)
    return list(once.values())


def check_there(paths: Sequence[Path]) -> None:
    """Raise InputError if nothing of what is named exists: to be called before anything heavy is imported."""
    if paths and not any(path.exists() for path in paths):
        raise missing_file(paths[0])


def expand_masks(paths: Sequence[Path]) -> list[Path]:
    """Return the lesion masks that the paths name, as `expand` with `deep` does.

    In a folder that holds both, files named as masks (sub-01_lesions, sub-01_label-lesion_mask) count and scans do not;
    where some are of lesions, other masks do not count either. What BIDS names as of the brain or a part of it
    (`desc-brain`, `label-CSF`, `probseg`) never counts, and beside it only what is named as a mask. Of files named as
    masks it is told which do not count.

    Raises
    ------
    InputError
        For a folder without NIfTI files, or without a lesion mask.
    """
    found: list[Path] = []
    for path in paths:
        inside = expand([path], deep=True)
        if path.is_dir():
            others = [image for image in inside if not naming.is_anatomy(image)]
            named = [mask for mask in others if _MASK.search(stem(mask))]
            drawn = [mask for mask in named if _LESION.search(stem(mask))]
            if len(others) < len(inside) and not named:
                raise InputError(
                    path,
                    "the folder holds no lesion mask",
                    "Do not give --lesions, or give masks names such as sub-01_label-lesion_mask.nii.gz",
                )
            if drawn and (other := [mask.name for mask in named if mask not in drawn]):
                console.note(
                    f"not used, because the names of other masks in {path} say that they are of lesions: {some(other)}"
                )
            inside = drawn or named or inside
        found += inside
    return list(dict.fromkeys(found))


def _dataset(root: Path, modality: str) -> list[Path]:
    """Return the scans of a BIDS dataset; print each exclusion, by quality control or for a name."""
    wanted: dict[str, object] = {"suffix": modality}
    if naming.is_derivative(root):
        wanted |= PREPARED
    refusals, patterns = refused(root), naming.read_ignore(root)
    found: list[Path] = []
    left_out = not_reached(root) | odd_folders(root) | ignored(root)
    for why in left_out.values():
        console.warn(f"excluded: {why}")
    for name in naming.participants(root):
        if name in left_out:
            continue
        for path, why in naming.untaken(root, name, (modality,)):
            console.warn(f"excluded: {path}: {why}")
        for session, folder in naming.visits(root, name):
            scans, words = naming.without_ignored(root, naming.images(folder, wanted), patterns)
            problems = naming.strangers(folder, name, session, (modality,))
            if reason := refusals.get((name, session)):
                problems = [reason]
            elif not scans:
                problems = [f"{folder}: holds no {modality} that can be used ({'; '.join(words) or 'of that name'})"]
            for problem in problems:
                console.warn(f"excluded: {problem}")
            found += [] if problems else scans
    return found


def _prepared(folder: Path, found: list[Path], modality: str) -> list[Path]:
    """Return of a folder's images those that are prepared scans of a modality, and name the others; else all of them.

    Raises
    ------
    InputError
        The folder is of a derivative dataset, and none is.
    """
    if not found:
        return found
    derived = any(naming.is_derivative(root) for root in (folder.resolve(), *folder.resolve().parents[:3]))
    wanted = {"suffix": modality, **PREPARED}
    taken = [path for path in found if naming.says(path, wanted)]
    if not taken:
        if derived:
            what = f"none of its {len(found)} images is a prepared {modality} (space-{SPACE}, desc-brain)"
            fix = "Run `pellucid preprocess BIDS derivatives/pellucid participant` on the raw dataset, or name a file"
            raise InputError(folder, what, fix)
        return found
    others = [path.name for path in found if path not in taken]
    if others:
        console.warn(
            f"not used, because they are not a prepared {modality} (desc-brain in MNI space): {', '.join(others)}"
        )
    return taken


def _images(entries: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in entries
        if path.name.endswith(SUFFIXES)
        and not path.name.startswith((".", "group-"))
        and "_res-native_" not in path.name
    )


def _say_unread(folder: Path) -> None:
    """Name the scans of a folder whose names do not end as those that are taken: .NII.GZ, .mgz, .img."""
    odd = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith((*SUFFIXES, ".mgz", ".img"))
        and not path.name.endswith(SUFFIXES)
        and not path.name.startswith(".")
    ]
    if odd:
        console.warn(f"not used in {folder}, because names of scans end in .nii or .nii.gz: {some(odd)}")
