"""Which mask belongs to which scan: by all that their names say of whom and when, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pellucid.ground.errors import InputError
from pellucid.ground.words import printable, some
from pellucid.image.nifti import SUFFIXES, stem

# Words of a file's name that say what it shows, not of whom or when.
_WHAT = re.compile(
    r"flair|t1w|t2w|pd|pdw|brain|bet|mni|mask\d*|roi|d?seg|probseg|lesions?\d*|labels?|relevance|map"
    r"|(?:space|desc|label|seg|res|den)-.*",
    re.IGNORECASE,
)
_CONTRAST = re.compile(r"flair|t1w|t2w|pd|pdw", re.IGNORECASE)
_EITHER = re.compile(r"t[12]", re.IGNORECASE)  # a contrast, or the first and the second time
_COUNTED = re.compile(r"(run|echo|flip|inv|split|chunk)-0*(\d+)")

What = Literal["mask", "image"]


def participant(path: Path) -> str | None:
    """Return the subject that a file's name starts with, or None: `sub-01_ses-2_FLAIR.nii.gz` is of `sub-01`.

    A label that BIDS does not know, as in `sub-HC-1`, is taken whole.
    """
    first = name_of(path).split("_")[0]
    return first if re.fullmatch(r"sub-.+", first) else None


def owner(path: Path) -> str:
    """Return whom and when a file shows: what is left of its name without words such as FLAIR and `desc-brain`.

    >>> owner(Path("sub-01_ses-2_run-01_space-MNI_FLAIR.nii.gz")), owner(Path("patient07_lesions.nii"))
    ('sub-01_ses-2_run-1', 'patient07')
    """
    return "_".join(_identity(path)) or name_of(path)


def match_masks(
    scans: Sequence[Path],
    masks: Iterable[Path],
    *,
    what: What = "mask",
    sources: Mapping[Path, Path] | None = None,
    shared: bool = False,
) -> dict[Path, Path | None]:
    """Return the lesion mask of each scan: the one whose name says the same of whom and when, or None.

    Every word counts but those that say what a file shows: another run, session or acquisition, or a name that leaves
    one out, is another scan. `T1` and `T2` are times where a name has a contrast besides, such as P1_T1_FLAIR. Of one
    scan and one mask the name need not say so much, but it may not say something else.

    Parameters
    ----------
    scans, masks
        Files.
    what
        What `masks` are, for the words of errors.
    sources
        Of scans that were made from other files, such as maps, those files: their names count first.
    shared
        Whether several scans of one name, such as maps by several methods, may have one mask.

    Raises
    ------
    InputError
        If two masks belong to one scan, one to two scans, none to any; or a lone one is named otherwise than its scan.
    """
    listed = list(dict.fromkeys(masks))
    names = {scan: [(sources or {}).get(scan, scan), scan] for scan in scans}
    if len(scans) == 1 and len(listed) == 1:
        scan, mask = scans[0], listed[0]
        if all(_differ(one, mask) for one in names[scan]):
            raise InputError(
                mask, f"its name says that it belongs to {owner(mask)}, but the scan is {scan.name}", _rename(what)
            )
        return {scan: mask}
    found: dict[Path, Path | None] = {}
    for scan in scans:
        keys = [key for name in names[scan] for key in _keys(name)]
        fitting = [[mask for mask in listed if sorted(_identity(mask)) == key] for key in keys]
        hits = next((some_masks for some_masks in fitting if some_masks), [])
        if len(hits) > 1:
            said = f"it belongs to {owner(hits[1])}, as {hits[0]} does"
            raise InputError(hits[1], said, f"Give one {what} of each scan")
        found[scan] = hits[0] if hits else None
    for mask in listed:
        takers = [scan for scan in scans if found[scan] == mask]
        if len(takers) > 1 and not (shared and len({tuple(_keys(names[scan][0])[0]) for scan in takers}) == 1):
            said = f"it fits {some(map(str, takers), 3)}, and nobody can tell which it is of"
            raise InputError(mask, said, _rename(what))
    if listed and not any(found.values()):
        raise InputError(
            listed[0],
            f"no {what} belongs to an image: this one belongs to {owner(listed[0])}, the first image to "
            f"{owner(scans[0])}",
            _rename(what),
        )
    return found


def pairs_said(found: Mapping[Path, Path | None], masks: Iterable[Path], *, what: str = "lesion mask") -> list[str]:
    """Say who got which mask, who got none, and which masks nobody got."""
    taken = {mask for mask in found.values() if mask is not None}
    lines = [f"{what} of {scan}: {mask}" for scan, mask in found.items() if mask is not None]
    without = [scan for scan, mask in found.items() if mask is None]
    rest = [mask for mask in dict.fromkeys(masks) if mask not in taken]
    if without and (taken or rest):
        lines.append(f"without a {what}: {some(scan.name for scan in without)}")
    people = {participant(scan) for scan in without} - {None}
    near = [mask for mask in rest if participant(mask) in people]
    if near:
        lines.append(f"of another run, session or acquisition of theirs: {some(map(str, near))}")
    if far := [mask.name for mask in rest if mask not in near]:
        lines.append(f"of none of these scans: {some(far, 3)}")
    return [printable(line) for line in lines]


def name_of(path: Path) -> str:
    """Return a file's name without its NIfTI suffix."""
    return stem(path) if path.name.endswith(SUFFIXES) else path.name


def _identity(path: Path) -> list[str]:
    """Return the words of a name that say of whom and when; all of it, if there are no others."""
    words = [word for word in name_of(path).split("_") if word and not _WHAT.fullmatch(word)]
    return [_COUNTED.sub(r"\1-\2", word) if _COUNTED.fullmatch(word) else word for word in words] or [name_of(path)]


def _keys(scan: Path) -> list[list[str]]:
    """Return what a scan's mask may be called: the same, and without T1 or T2 where that is the scan's contrast."""
    whole = _identity(scan)
    keys = [sorted(whole)]
    if not any(_CONTRAST.fullmatch(word) for word in name_of(scan).split("_")):
        rest = [word for word in whole if not _EITHER.fullmatch(word)]
        keys += [sorted(rest)] if rest and rest != whole else []
    return keys


def _differ(scan: Path, mask: Path) -> bool:
    """Tell whether the names of a lone scan and a lone mask speak of two."""
    own = sorted(_identity(mask))
    if participant(scan) and participant(mask):
        return own not in _keys(scan)
    numbered = re.compile(r".*\d")
    for key in _keys(scan):
        only = [
            [word for word in one if word not in other and numbered.match(word)]
            for one, other in ((key, own), (own, key))
        ]
        if not all(only):
            return False
    return True


def _rename(what: What) -> str:
    example = "sub-01_lesions.nii.gz" if what == "mask" else "sub-01_FLAIR.nii.gz"
    return f"Name each {what} after its scan, every word of it, such as sub-01_FLAIR.nii.gz and {example}"
