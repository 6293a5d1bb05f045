"""Find an atlas: by its name, among those known and those in a folder of the user's, or by its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

from pellucid.atlas import harvard_oxford, jhu, neuromorphometrics
from pellucid.atlas.labels import Atlas, Merge, no_paper_areas, read_atlas
from pellucid.atlas.places import FOLDER_VARIABLE, user_folder, wheel_file
from pellucid.ground.errors import InputError
from pellucid.image.nifti import SUFFIXES, stem

__all__ = ["FOLDER_VARIABLE", "Available", "available_atlases", "find_atlas", "wheel_file"]


class Available(NamedTuple):
    """An atlas or template that can be asked for: `path` is None where it was not found, `note` says why or whose."""

    name: str
    path: Path | None
    note: str


class _Known(NamedTuple):
    """An atlas of which the package knows where it lies and what its labels are called."""

    locate: Callable[[], Path]
    read: Callable[[Path, Merge], Atlas]
    terms: str


_KNOWN = {
    neuromorphometrics.NAME: _Known(neuromorphometrics.locate, neuromorphometrics.read, neuromorphometrics.TERMS),
    jhu.NAME: _Known(jhu.locate, jhu.read, jhu.TERMS),
    harvard_oxford.NAME: _Known(harvard_oxford.locate, harvard_oxford.read, harvard_oxford.TERMS),
}


def find_atlas(name: str | Path, *, merge: Merge = "revised") -> Atlas:
    """Find an atlas by its name or path.

    `name` is `neuromorphometrics`, `jhu-icbm-dti-81`, `harvard-oxford`, one in the folder that $PELLUCID_ATLASES names,
    or the path of a label map, NAME.nii.gz, with its table, NAME.tsv or NAME.csv, beside it. `merge="paper"` gives the
    first two the areas of Eitel 2019 in its words: a label that it drops is then in neither `regions` nor the label
    map, but named in `dropped`. Nothing is ever downloaded.

    Raises
    ------
    InputError
        There is no such atlas, its files cannot be used, or the paper has no areas for it.
    """
    if merge not in get_args(Merge):
        raise InputError("merge", f"is {merge!r}", f"Give one of {', '.join(get_args(Merge))}")
    known = _KNOWN.get(str(name))
    if known is not None:
        return known.read(known.locate(), merge)
    path = _path(name)
    table = _table(path)
    if jhu.is_jhu(path) and not table.is_file():
        return jhu.read(path, merge)
    if merge == "paper":
        raise no_paper_areas(name)
    return read_atlas(path, table)


def available_atlases() -> list[Available]:
    """List the atlases that `find_atlas` knows, found or not, and those in the user's folder."""
    found = []
    for name, known in _KNOWN.items():
        try:
            found.append(Available(name, known.locate(), known.terms))
        except InputError as error:
            found.append(Available(name, None, str(error)))
    try:
        own = _user_atlases()
    except InputError as error:
        return [*found, Available(FOLDER_VARIABLE, None, str(error))]
    for path in own:
        if _table(path).is_file():
            found.append(Available(stem(path), path, f"from ${FOLDER_VARIABLE}; its terms are yours to keep"))
        elif not jhu.is_jhu(path):  # which needs no table
            found.append(Available(stem(path), None, f"{path} has no table, .tsv or .csv, beside it"))
    return found


def _path(name: str | Path) -> Path:
    """Return the path of a label map of the user's: `name` itself, or the one of that name in the user's folder."""
    if not str(name).endswith(SUFFIXES):
        for path in _user_atlases():
            if stem(path) == name:
                return path
        known = ", ".join(a.name for a in available_atlases() if a.path is not None)
        fix = f"Choose one of {known or 'none'}, or set {FOLDER_VARIABLE} to a folder with {name}.nii.gz and {name}.tsv"
        raise InputError(name, "no atlas of this name was found", fix)
    path = Path(name)
    if not path.is_file():
        raise InputError(path, "the file does not exist", "Check the path")
    if not _table(path).is_file() and not jhu.is_jhu(path):
        fix = f"Write {stem(path)}.tsv with columns index, name and, optionally, area"
        raise InputError(path, "there is no table of its labels beside it", fix)
    return path


def _user_atlases() -> list[Path]:
    """Return the label maps in the user's folder, by name."""
    folder = user_folder()
    return [] if folder is None else sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))


def _table(nifti: Path) -> Path:
    """Return the table beside a label map: TSV, or CSV where there is one."""
    csv = nifti.with_name(f"{stem(nifti)}.csv")
    return csv if csv.is_file() else csv.with_suffix(".tsv")
