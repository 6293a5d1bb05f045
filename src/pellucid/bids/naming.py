"""BIDS by its names: what a file's name says, where a visit's images lie, and how a dataset describes itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pellucid
from pellucid.ground.files import read_json
from pellucid.ground.opening import read_bytes

VERSION = "1.10.0"

ENTITIES = (
    *("sub", "ses", "sample", "task", "acq", "ce", "rec", "dir", "run", "echo", "flip", "inv", "part", "proc", "hemi"),
    *("space", "split", "chunk", "seg", "res", "den", "label", "from", "to", "mode", "desc"),
)
"""Entities in the order in which a file's name gives them."""

_LONG = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "resolution": "res",
    "description": "desc",
}
"""What pybids, and so the filter files that people have, calls them."""

PARTICIPANT = re.compile(r"sub-[0-9A-Za-z]+")
SESSION = re.compile(r"ses-[0-9A-Za-z]+")
IGNORE = ".bidsignore"
_PAIR = re.compile(r"([a-z]+)-([0-9A-Za-z+]+)")
_IDENTITY = ("sub", "ses", "sample", "acq", "ce", "rec", "dir", "run", "echo", "flip", "inv", "part", "proc", "chunk")
_LESION = re.compile(r"lesion|_(?:mask|roi|d?seg)\.", re.IGNORECASE)
_ANATOMY = {"csf", "gm", "wm", "sgm", "scgm", "cgm", "brain", "ventricle", "cerebellum", "brainstem", "b", "head"}
_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[")
_MOST_IGNORE = 1 << 16  # bytes of a .bidsignore
_PREFIX = re.compile(r"(?:sub(?:ject)?|ses(?:sion)?)[-_ ]?(?=.*[0-9A-Za-z])", re.IGNORECASE)
_SCANS = (".nii", ".nii.gz", ".mgz", ".img")
_NO_SCANS = {"mask", "dseg", "probseg", "xfm"}
_INDICES = ("run", "echo", "flip", "inv", "split", "chunk")
"""Entities whose labels are numbers, so that 1 and 01 are one."""


def entities(path: Path) -> dict[str, str]:
    """Return what a file's name says, its suffix included.

    >>> entities(Path("sub-01_acq-3d_FLAIR.nii.gz"))
    {'sub': '01', 'acq': '3d', 'suffix': 'FLAIR'}
    """
    parts = path.name.split(".")[0].split("_")
    pairs = (_PAIR.fullmatch(part) for part in parts)
    return {pair.group(1): pair.group(2) for pair in pairs if pair} | {"suffix": parts[-1]}


def file_name(participant: str, session: str | None, suffix: str, extension: str, **named: str) -> str:
    """Return a file's name, its entities in their order: the opposite of `entities`.

    >>> file_name("sub-01", "ses-2", "mask", ".nii.gz", label="lesion", space="T1w")
    'sub-01_ses-2_space-T1w_label-lesion_mask.nii.gz'
    """
    ordered = sorted(named.items(), key=lambda item: ENTITIES.index(item[0]))
    parts = [participant, *([session] if session else []), *(f"{key}-{value}" for key, value in ordered), suffix]
    return "_".join(parts) + extension


def participants(root: Path) -> list[str]:
    """Return the participants that have a folder, sorted."""
    return sorted(p.name for p in root.glob("sub-*") if p.is_dir() and PARTICIPANT.fullmatch(p.name))


def visits(root: Path, participant: str) -> list[tuple[str | None, Path]]:
    """Return a participant's sessions (None where there are none) and their folders of anatomical images, sorted."""
    folder = root / participant
    found: list[tuple[str | None, Path]] = [(None, folder / "anat")] if (folder / "anat").is_dir() else []
    return found + [(anat.parent.name, anat) for anat in sorted(folder.glob("ses-*/anat")) if anat.is_dir()]


def as_label(name: str) -> str:
    """Return a name with the letters and digits of its label alone: what it might be called.

    >>> as_label("sub-HC-1"), as_label("007"), as_label("Subject_12"), as_label("ses_2")
    ('sub-HC1', 'sub-007', 'sub-12', 'ses-2')
    """
    prefix = "ses-" if name.lower().startswith("ses") else "sub-"
    kept = "".join(re.findall(r"[0-9A-Za-z]", _PREFIX.sub("", name)))
    return f"{prefix}{kept or '<label>'}"


def strangers(anat: Path, participant: str, session: str | None, suffixes: Collection[str]) -> list[str]:
    """Say what is wrong with the names in a visit's folder: files of others, and labels that are none in BIDS.

    All its NIfTI files may be somebody else's; labels count in those that end in one of `suffixes`. A file that names
    no participant, or no session, is not wrong.
    """
    found = []
    if session and not SESSION.fullmatch(session):
        found.append(
            f"{anat.parent}: labels in BIDS are letters and digits. Rename it, for example {as_label(session)}."
        )
    for path in [path for path in sorted(anat.iterdir()) if path.name.lower().endswith((".nii", ".nii.gz"))]:
        odd = [part for part in path.name.split(".")[0].split("_")[:-1] if not _PAIR.fullmatch(part)]
        said = entities(path)
        for key, own in (("sub", participant), ("ses", session)):
            other = f"{key}-{said[key]}" if key in said else None
            if other and other != own and not odd:
                where = f"the folder of {own}" if own else "a folder without a session"
                found.append(f"{path}: its name says {other}, and it lies in {where}. Move or rename it.")
        if odd and path.name.startswith("sub-") and said["suffix"] in suffixes:
            found.append(f"{path}: {odd[0]!r} is no label of BIDS, which has letters and digits. Rename the file.")
    return found


def alike(anat: Path, suffix: str) -> list[Path]:
    """Return the images of a visit whose names hold a suffix otherwise than BIDS writes it: _flair, T2_FLAIR.NII."""
    right = {suffix, *_NO_SCANS}
    return [
        path
        for path in sorted(anat.iterdir())
        if _is_scan(path, suffix)
        and not (path.name.endswith((".nii", ".nii.gz")) and entities(path)["suffix"] in right)
    ]


def _is_scan(path: Path, suffix: str) -> bool:
    name = path.name.lower()
    return name.endswith(_SCANS) and suffix.lower() in name and not name.startswith(".")


def untaken(root: Path, participant: str, suffixes: Sequence[str]) -> list[tuple[Path, str]]:
    """Return what a participant's folder holds of scans where, or called as, BIDS has none, and why each is not taken.

    Scans of these suffixes under other names, or in no `[ses-<label>/]anat`; sessions without that folder, or behind a
    broken link. What .bidsignore leaves out is told elsewhere.
    """
    folder, patterns = root / participant, read_ignore(root)
    anats = [anat for _, anat in visits(root, participant)]
    found: dict[Path, str] = {}
    for suffix in suffixes:
        for path in (path for anat in anats for path in alike(anat, suffix)):
            found[path] = f"BIDS ends its name in _{suffix}.nii.gz, and labels are letters and digits"
        for path in sorted(folder.rglob("*")):
            last = path.name.lower().partition(".nii")[0].rpartition("_")[2]
            if path.parent not in anats and _is_scan(path, suffix) and suffix.lower() in last:
                found[path] = f"it lies in no folder {participant}[/ses-<label>]/anat"
    for path in sorted(folder.glob("*")):
        if path.is_symlink() and not path.exists():
            found[path] = "it is a link to nothing"
        elif path.is_dir() and path.name.lower().startswith("ses"):
            said = [*anats, *found]  # and so what was named in it stands for it
            if not any(path in one.parents for one in said):
                found[path] = "a session without a folder 'anat'"
    if not anats and not found:
        found[folder] = "it holds no folder 'anat'"
    return [
        (path, why)
        for path, why in found.items()
        if not is_ignored(path.relative_to(root).as_posix() + ("/" if path.is_dir() else ""), patterns)
    ]


LESIONS: dict[str, Any] = {"suffix": "mask", "label": ["lesion", "lesions"]}
"""How lesion masks are named."""


def lesion_masks(folder: Path, *, raw: Path | None = None) -> tuple[list[Path], list[str]]:
    """Return the lesion masks of a visit's folder, and which files there or beside the raw scans look like some."""
    drawn = images(folder, LESIONS)
    others = [
        path
        for place in dict.fromkeys([folder, *([raw] if raw else [])])
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path not in drawn and path.name.endswith((".nii", ".nii.gz")) and _may_be_lesions(path)
    ]
    return drawn, [f"{path}: lesion masks lie in {folder} and end in _label-lesion_mask.nii[.gz]" for path in others]


def _may_be_lesions(path: Path) -> bool:
    """Tell whether a name may be that of a lesion mask, and not of the brain or a tissue."""
    return _LESION.search(path.name) is not None and not is_anatomy(path)


def is_anatomy(path: Path) -> bool:
    """Tell whether a BIDS name says that a file shows the brain or a part of it, and so no lesions."""
    said = entities(path)
    desc, label = said.get("desc", "").lower(), said.get("label", "").lower().rstrip("s")
    return desc in ("brain", "aseg", "aparcaseg") or label in _ANATOMY or said["suffix"] == "probseg"


def identity(path: Path) -> dict[str, str]:
    """Return what a BIDS name says of whom, when and how a scan was taken, and not of what was made of it."""
    return {
        key: value.lstrip("0") or "0" if key in _INDICES and value.isdecimal() else value
        for key, value in entities(path).items()
        if key in _IDENTITY
    }


def contradiction(mask: Path, scans: Iterable[Path]) -> str | None:
    """Say in what a mask's name is of another scan than all of these, if it is: another run, another acquisition.

    What a mask does not name it does not contradict, but for the run: a mask without one is not of a second run.
    """
    why = None
    for scan in scans:
        own, other = identity(scan), identity(mask)
        if own.get("run", "1") != "1":
            other.setdefault("run", "1")
        differing = [key for key, value in other.items() if own.get(key) != value]
        if not differing:
            return None
        said = f"{differing[0]}-{other[differing[0]]}" if differing[0] in identity(mask) else f"without {differing[0]}"
        why = f"it is named {said}, which {scan.name} is not"
    return why


def masks_of(drawn: Sequence[Path], scans: Sequence[Path], beside: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Return which of a visit's lesion masks are of its `scans`, and a word on each of the others.

    Not of them is a mask whose name contradicts them all, and one that says less than they and fits another scan that
    lies `beside` them as well. Of several, one that says just what a scan says goes before those that say less.
    """
    fitting, words = [], []
    exact = [identity(scan) for scan in scans]
    others = [path for path in beside if path not in scans and identity(path) not in exact]
    for mask in drawn:
        why = contradiction(mask, scans) if scans else None
        as_well = next((path for path in others if contradiction(mask, [path]) is None), None)
        if why is None and as_well and identity(mask) not in exact:
            why = f"it may be of {as_well.name} as well"
        if why is None:
            fitting.append(mask)
        else:
            words.append(f"{mask}: {why}")
    best = [mask for mask in fitting if identity(mask) in exact]
    if len(best) == 1 < len(fitting):
        words += [f"{mask}: {best[0].name} says more of the scan" for mask in fitting if mask not in best]
        fitting = best
    return fitting, words


def misplaced_masks(masks: Path, participant: str) -> list[Path]:
    """Return what may be lesion masks of a participant's and lies in no `anat` of theirs in the folder of masks."""
    anats = [anat for _, anat in visits(masks, participant)]
    every = sorted((masks / participant).rglob("*.nii*"))
    return [path for path in every if path.parent not in anats and _may_be_lesions(path)]


def read_ignore(root: Path) -> list[str]:
    """Return the patterns of a dataset's .bidsignore, which are written as those of a .gitignore; none without one."""
    path = root / IGNORE
    if not path.is_file():
        return []
    lines = read_bytes(path, most=_MOST_IGNORE).decode("utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def without_ignored(root: Path, paths: Sequence[Path], patterns: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the files of a dataset that its .bidsignore does not leave out, and a word on each of the others."""
    names = {path: path.relative_to(root).as_posix() for path in paths}
    out = {path: name for path, name in names.items() if is_ignored(name, patterns)}
    return [path for path in paths if path not in out], [f"{IGNORE} leaves out {name}" for name in out.values()]


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether the last pattern that fits a path, given from the dataset's root, leaves it out.

    A folder's path ends with a slash; what lies in it goes with it.

    >>> is_ignored("sub-03/", ["sub-0*/", "!sub-03"]), is_ignored("sub-03/anat/sub-03_T1w.nii", ["**/*_T1w.nii*"])
    (False, True)
    """
    parts = path.rstrip("/").split("/")
    for depth in range(1, len(parts) + 1):
        one, is_folder = "/".join(parts[:depth]), depth < len(parts) or path.endswith("/")
        fitting = [pattern for pattern in patterns if _fits(one, is_folder, pattern.removeprefix("!"))]
        if fitting and not fitting[-1].startswith("!"):
            return True
    return False


def _fits(path: str, is_folder: bool, pattern: str) -> bool:
    """Tell whether one pattern of a .gitignore names a path: anywhere, or from the root if it holds a slash."""
    if pattern.endswith("/") and not is_folder:
        return False
    plain = pattern.rstrip("/")
    anchored = "/" in plain
    steps = _GLOB.findall(plain.lstrip("/"))
    # The places that are reached so far, not a regular expression: many stars would have one try for ever.
    places = {0}
    for step in steps if anchored else ("**/", *steps):
        places = _reached(path, places, step)
    return len(path) in places


def _reached(path: str, places: set[int], step: str) -> set[int]:
    """Return the places of a path that one step of a pattern leads to from any of `places`."""
    if not places:
        return places
    if step == "**":
        return set(range(min(places), len(path) + 1))
    if step == "**/":
        return places | {n + 1 for n in range(min(places), len(path)) if path[n] == "/"}
    if step == "*":
        ends = {place: path.find("/", place) for place in places}
        return {n for place, end in ends.items() for n in range(place, (len(path) if end < 0 else end) + 1)}
    letter = re.compile("[^/]" if step == "?" else _one_of(step))
    return {end for place in places if (found := letter.match(path, place)) and (end := found.end())}


def _one_of(text: str) -> str:
    """Return a class of letters such as `[!0-3]` as a regular expression has it, and any other text as itself."""
    if not text.startswith("["):
        return re.escape(text)
    letters = f"[^{text[2:]}" if text.startswith("[!") else text
    try:
        re.compile(letters)
    except re.error:  # such as [z-a]
        return re.escape(text)
    return letters


def images(folder: Path, wanted: Mapping[str, Any]) -> list[Path]:
    """Return the NIfTI files in `folder` whose names say what is `wanted`, sorted.

    `wanted` maps entities (short as in names or long as in pybids; `suffix` counts as one) to a value, a list of
    values, or None for "must not be there".
    """
    return sorted(path for path in [*folder.glob("*.nii"), *folder.glob("*.nii.gz")] if says(path, wanted))


def says(path: Path, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a file's name says what is `wanted`, as `images` takes it."""
    said = entities(path) | {"datatype": path.parent.name, "extension": _extension(path)}
    for key, value in wanted.items():
        found = said.get(_LONG.get(key, key))
        if value is None:
            if found is not None:
                return False
        elif not any(
            _same(found, one, key in _INDICES) for one in (value if isinstance(value, list | tuple) else [value])
        ):
            return False
    return True


def _same(found: str | None, value: Any, index: bool) -> bool:
    """Tell whether a label is a value; a number, of an entity that counts, may have zeros before it."""
    if found is None or value is None:
        return found is value
    text = str(value)
    if (index or isinstance(value, int)) and found.isdecimal() and text.isdecimal():
        return found.lstrip("0") == text.lstrip("0")
    return found == text or found == f".{text}"


def _extension(path: Path) -> str:
    return ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix


def unknown_key(wanted: Mapping[str, Any]) -> str | None:
    """Return the first key that is no entity of BIDS, or None if all are."""
    known = {*ENTITIES, *_LONG, "suffix", "datatype", "extension"}
    return next((key for key in wanted if key not in known), None)


def is_derivative(root: Path) -> bool:
    """Tell whether a dataset says that it is a derivative one."""
    path = root / "dataset_description.json"
    return path.is_file() and read_json(path, dict).get("DatasetType") == "derivative"


def description(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return the content of a dataset_description.json; `kind` is raw or derivative."""
    return {
        "Name": name,
        "BIDSVersion": VERSION,
        "DatasetType": kind,
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
        **more,
    }


def without_prefix(labels: Iterable[str], prefix: str) -> list[str]:
    """Return labels with their prefix, given with or without it: `01` and `sub-01` are both `sub-01`."""
    return [label if label.startswith(prefix) else prefix + label for label in labels]
