"""What the user names on the command line: images, masks and models as files or folders, and who they belong to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pellucid import bids
from pellucid.cli import console
from pellucid.errors import InputError
from pellucid.files import read_json
from pellucid.image.nifti import SUFFIXES, stem
from pellucid.preprocess.verdicts import refused

SELECTED = "selected.json"
MODEL_FILES = ("model.safetensors", "model.json")

_SUBJECT = re.compile(r"sub-[0-9A-Za-z]+")
_SESSION = re.compile(r"ses-[0-9A-Za-z]+")
# Words of a file's name that say what it shows, not whom.
_WHAT = re.compile(
    r"(?:flair|t1w?|t2w?|pd|brain|bet|mni|mask|roi|lesions?|labels?|relevance|map|(?:space|desc|label|run|acq|res|rec)-.*)",
    re.IGNORECASE,
)

_NOT_OURS = re.compile(r"_space-[0-9A-Za-z]+|_desc-brain(?=_)")
_LESION = re.compile(r"(?:^|[_-])lesions?(?:$|[_-])", re.IGNORECASE)
_DESCRIPTION = "dataset_description.json"

_MASK = re.compile(r"(?:^|[_-])(?:d?seg|mask|roi|lesions?|labels?)(?:$|[_-])", re.IGNORECASE)


def expand(paths: Sequence[Path], *, deep: bool = False, modality: str | None = None) -> list[Path]:
    """Return the NIfTI files that the paths name, a folder standing for every *.nii and *.nii.gz directly in it.

    With `modality`, a BIDS dataset stands for its scans of that modality; one that `pellucid preprocess` wrote, for
    those in MNI space. Visits that failed its quality control are left out, which is said.

    With `deep`, a folder without any stands for those in its sub-folders, as in a BIDS dataset. In a folder, averages
    of a group (group-*) and second copies of maps (*_res-native_*) are left out. A file that does not exist stays in
    the list, for whoever reads it says what is wrong. A file named twice counts once.

    Raises
    ------
    InputError
        For a folder without NIfTI files.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = _dataset(path, modality) if modality and (path / _DESCRIPTION).is_file() else []
            inside = inside or _images(path.iterdir()) or (_images(path.rglob("*")) if deep else [])
            if not inside:
                raise InputError(path, "the folder holds no .nii or .nii.gz file", "Give files, or a folder of files")
            found |= dict.fromkeys(inside)
        else:
            found[path] = None
    return list(found)


def expand_masks(paths: Sequence[Path]) -> list[Path]:
    """Return the lesion masks that the paths name, as `expand` with `deep` does.

    In a folder that holds both, files named as masks (sub-01_lesions, sub-01_label-lesion_mask) count and scans do not;
    where some are of lesions, other masks do not count either. What BIDS names as of the brain (`desc-brain`) or as a
    tissue's probability (`probseg`) never counts, and beside it only what is named as a mask.

    Raises
    ------
    InputError
        For a folder without NIfTI files, or without a lesion mask.
    """
    found: list[Path] = []
    for path in paths:
        inside = expand([path], deep=True)
        if path.is_dir():
            others = [image for image in inside if not _is_of_brain(image)]
            named = [mask for mask in others if _MASK.search(stem(mask))]
            drawn = [mask for mask in named if _LESION.search(stem(mask))]
            if len(others) < len(inside) and not named:
                raise InputError(
                    path,
                    "the folder holds no lesion mask",
                    "Leave --lesions out, or name masks such as sub-01_label-lesion_mask.nii.gz",
                )
            inside = drawn or named or inside
        found += inside
    return list(dict.fromkeys(found))


def find_model(path: Path) -> Path:
    """Return a model's folder, named by itself, by one of its files, or by its arm, whose selected trial it then is."""
    if path.is_file() and path.name in MODEL_FILES:
        return path.parent
    if (path / SELECTED).is_file():
        return path / str(read_json(path / SELECTED)["trial"])
    return path


def participant(path: Path) -> str | None:
    """Return the BIDS subject that a file's name starts with, or None: `sub-01_ses-2_FLAIR.nii.gz` is of `sub-01`."""
    match = _SUBJECT.match(path.name)
    return match.group() if match else None


def owner(path: Path) -> str:
    """Return whom a file shows: BIDS subject and session, or what is left of its name without words such as FLAIR.

    >>> owner(Path("sub-01_ses-2_space-MNI_FLAIR.nii.gz")), owner(Path("patient07_lesions.nii"))
    ('sub-01_ses-2', 'patient07')
    """
    name = _stem(path)
    if subject := participant(path):
        session = _SESSION.search(name)
        return f"{subject}_{session.group()}" if session else subject
    words = [word for word in name.split("_") if not _WHAT.fullmatch(word)]
    return "_".join(words) or name


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a different name for the outputs of each input: its own, with folders before it where two agree.

    Of a BIDS name, the space and `desc-brain` are left out, for outputs say their own space and what they are.

    >>> unique_names([Path("sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz")]).popitem()[1]
    'sub-01_FLAIR'
    """
    names = {path: _short(path) for path in paths}
    for depth in range(1, 32):
        twice = {name for name, count in Counter(names.values()).items() if count > 1}
        if not twice:
            return names
        for path, name in names.items():
            if name in twice:
                folders = path.resolve().parts[1:-1][-depth:]
                names[path] = "-".join([*folders, _short(path)])
    return {path: f"{number:04d}-{name}" for number, (path, name) in enumerate(names.items(), start=1)}


def match_masks(images: Sequence[Path], masks: Iterable[Path]) -> dict[Path, Path | None]:
    """Return the lesion mask of each image: of the same subject by name, or the only one of the only image.

    Raises
    ------
    InputError
        If two masks belong to one subject, or a mask belongs to none of the images.
    """
    listed = list(masks)
    if len(images) == 1 and len(listed) == 1:
        return {images[0]: listed[0]}
    by_owner: dict[str, Path] = {}
    for mask in listed:
        if owner(mask) in by_owner:
            raise InputError(
                mask, f"it belongs to {owner(mask)}, as {by_owner[owner(mask)]} does", "Give one mask each"
            )
        by_owner[owner(mask)] = mask
    matched = {image: by_owner.get(owner(image)) for image in images}
    if listed and not any(matched.values()):
        raise InputError(
            listed[0],
            f"no mask belongs to an image: this one is of {owner(listed[0])}, the first image of {owner(images[0])}",
            "Name masks after their images, such as sub-01_FLAIR.nii.gz and sub-01_lesions.nii.gz",
        )
    return matched


def _is_of_brain(path: Path) -> bool:
    """Tell whether a BIDS name says that a file shows the brain or the probability of a tissue."""
    said = bids.entities(path)
    return said.get("desc") == "brain" or said["suffix"] == "probseg"


def _dataset(root: Path, modality: str) -> list[Path]:
    """Return the scans of a BIDS dataset, those that quality control refuses left out."""
    wanted: dict[str, object] = {"suffix": modality}
    if bids.is_derivative(root):
        wanted |= {"space": "MNI152NLin6Asym", "desc": "brain", "res": None}
    refusals = refused(root)
    found: list[Path] = []
    for name in bids.participants(root):
        for session, folder in bids.visits(root, name):
            if reason := refusals.get((name, session)):
                console.warn(f"left out: {reason}")
            else:
                found += bids.images(folder, wanted)
    return found


def _images(entries: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in entries
        if path.name.endswith(SUFFIXES)
        and not path.name.startswith((".", "group-"))
        and "_res-native_" not in path.name
    )


def _short(path: Path) -> str:
    return _NOT_OURS.sub("", _stem(path)) if participant(path) else _stem(path)


def _stem(path: Path) -> str:
    return stem(path) if path.name.endswith(SUFFIXES) else path.name
