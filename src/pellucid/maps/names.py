"""What outputs are called: maps and their pictures, each after its scan, and no two alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pellucid.attribution.naming import method_label
from pellucid.bids.pairing import name_of, participant
from pellucid.bids.prepared import SPACE
from pellucid.image.nifti import stem

_NOT_OURS = re.compile(r"_space-[0-9A-Za-z]+|_desc-brain(?=_)")


def map_name(who: str, method: str, *, res: str = "", statistic: Literal["", "mean", "sd"] = "") -> str:
    """Return the file name of a map: `sub-01_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz`.

    `method` is its text, `NAME` or `NAME:key=value,key=value`.
    """
    first, *rest = method_label(method).split("-")
    label = first + "".join(word.capitalize() for word in (*rest, statistic))
    entity = f"_res-{res}" if res else ""
    return f"{who}_space-{SPACE}{entity}_desc-{label}_relevance.nii.gz"


def picture_of(path: Path) -> Path:
    """Return where the picture of the map at `path` lies."""
    return path.with_name(f"{stem(path)}.png")


def unique_names(paths: Sequence[Path], *, taken: Mapping[Path, str] | None = None) -> dict[Path, str]:
    """Return a different name for the outputs of each input: its own, with folders before it where two agree.

    Of a BIDS name, the space and `desc-brain` are left out, for outputs say their own space and what they are. `taken`
    are names that other inputs, or these, have already: whoever has one keeps it.

    >>> unique_names([Path("sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz")]).popitem()[1]
    'sub-01_FLAIR'
    """
    known = {path.resolve(): name for path, name in (taken or {}).items()}
    kept = {path: known[path.resolve()] for path in paths if path.resolve() in known}
    names = {path: _short(path) for path in paths if path not in kept}
    used = set(known.values())
    for depth in range(1, 32):
        counts = Counter(names.values())
        twice = {name for name, count in counts.items() if count > 1 or name in used}
        if not twice:
            return {path: kept.get(path) or names[path] for path in paths}
        for path, name in names.items():
            if name in twice:
                folders = path.resolve().parts[1:-1][-depth:]
                names[path] = "-".join([*folders, _short(path)])
    numbered = {path: f"{number:04d}-{name}" for number, (path, name) in enumerate(names.items(), start=len(used) + 1)}
    return {path: kept.get(path) or numbered[path] for path in paths}


def _short(path: Path) -> str:
    return _NOT_OURS.sub("", name_of(path)) if participant(path) else name_of(path)
