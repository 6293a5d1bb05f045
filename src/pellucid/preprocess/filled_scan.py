"""One scan on disk without its lesions: `fill_scan` reads, fills and writes it with a sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pellucid
from pellucid.bids.pairing import match_masks
from pellucid.ground.arrays import BoolArray
from pellucid.ground.errors import InputError
from pellucid.ground.files import relative, sha256
from pellucid.image.nifti import SUFFIXES, Mask, Volume, read_mask, read_volume, sidecar_path, write_volume
from pellucid.preprocess.admission import admit
from pellucid.preprocess.filling import METHODS, Filled, fill_lesions
from pellucid.preprocess.white_matter import find_white_matter

_GIVE = "Or give its white matter with --white-matter: then the scan may be in any space"
WHITE = 0.5  # a tissue that is more probable than that is the most probable one


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledScan:
    """A scan whose lesions were filled. For research only: it hides disease.

    Parameters
    ----------
    files
        The scan and its sidecar.
    sidecar
        How it was filled, what changed, and of what files it is made.
    remarks
        What is odd about the scan and about its mask, by file; None if nothing is.
    empty
        Whether the mask is empty: the scan is then written as it is.
    """

    files: tuple[Path, Path]
    sidecar: Mapping[str, Any]
    remarks: Mapping[Path, str | None]
    empty: bool


def fill_scan(
    image: Path | str,
    mask: Path | str,
    *,
    out: Path | str,
    method: str = "local",
    white_matter: Path | str | None = None,
    seed: int = 0,
) -> FilledScan:
    """Fill the lesions of a scan with the look of white matter, and write it with a sidecar.

    Parameters
    ----------
    image
        A FLAIR or T1w, brain-extracted.
    mask
        Its lesion mask, on the same grid.
    out
        The file to write, .nii or .nii.gz.
    method, seed
        As in `pellucid.preprocess.filling.fill_lesions`.
    white_matter
        A mask or probability map of white matter: then the scan may lie anywhere and have its skull. If None, it is
        found in the scan, which must lie in MNI space.

    Raises
    ------
    InputError
        An option cannot be used, a file cannot be read or is another's, the scan is refused, or `out` would overwrite
        one of them. Then nothing is written.
    """
    image, mask, out = Path(image), Path(mask), Path(out)
    white_matter = None if white_matter is None else Path(white_matter)
    _check(image, mask, out=out, method=method, white_matter=white_matter, seed=seed)
    match_masks([image], [mask])  # one scan's lesions are not filled by the mask of another
    volume = read_volume(image)
    lesions = read_mask(mask, volume.grid)
    empty = not lesions.data.any()
    looked = {} if empty or white_matter else admit(image, modality="", anyway=_GIVE).sidecar
    white = lesions.data if empty else _white_matter(volume, lesions, white_matter)
    filled = fill_lesions(volume.data, lesions.data, white, volume.grid, seed=seed, method=method)
    sidecar = _describe(filled, volume, lesions, method=method, seed=seed, white_matter=white_matter, folder=out.parent)
    sidecar |= looked
    write_volume(
        out,
        filled.image,
        volume.grid,
        description=f"Pellucid lesions filled, {method}",
        sidecar=sidecar,
        forms_of=image,
    )
    said = sidecar["Gate"]["Remark"] if looked else "; ".join(volume.remarks)
    remarks = {image: said or None, mask: "; ".join(lesions.remarks) or None}
    return FilledScan(files=(out, sidecar_path(out)), sidecar=sidecar, remarks=remarks, empty=empty)


def _check(image: Path, mask: Path, *, out: Path, method: str, white_matter: Path | None, seed: int) -> None:
    """Refuse options that cannot be used, before anything is read."""
    if method not in METHODS:
        raise InputError("--method", f"is {method!r}", f"Give one of {', '.join(METHODS)}")
    if seed < 0:
        raise InputError("--seed", f"is {seed}", "Give a whole number of at least 0")
    if not out.name.endswith(SUFFIXES):
        raise InputError(
            "--out",
            f"is {str(out)!r}, which is not the name of a NIfTI file",
            "Use a name that ends in .nii or .nii.gz",
        )
    for path in (image, mask, white_matter):
        # a.nii and a.nii.gz share a.json.
        if path and str(path.resolve()).removesuffix(".gz") == str(out.resolve()).removesuffix(".gz"):
            raise InputError("--out", f"would overwrite its own input {path}, or its .json", "Give another name")


def _describe(
    filled: Filled,
    volume: Volume,
    lesions: Mask,
    *,
    method: str,
    seed: int,
    white_matter: Path | None,
    folder: Path,
) -> dict[str, Any]:
    """Say how a scan in `folder` was filled, as JSON types in the manner of BIDS sidecars."""
    sources = [path for path in (volume.path, lesions.path, white_matter) if path is not None]
    ml = volume.grid.voxel_volume_ml
    found = "found in the scan" if lesions.data.any() else "not needed"
    return {
        "Description": "A scan whose lesions look like white matter. Research only: it hides disease.",
        "Method": method,
        "Seed": seed,
        "WhiteMatter": found if white_matter is None else "given",
        "LesionMl": float(lesions.data.sum()) * ml,
        "ChangedMl": float(filled.changed.sum()) * ml,
        "ChangedVoxels": int(filled.changed.sum()),
        "WideVoxels": int(filled.wide.sum()),
        "WholeBrainVoxels": int(filled.whole_brain.sum()),
        "UnfilledVoxels": int(filled.unfilled.sum()),
        "Sources": [relative(path, folder) for path in sources],
        "SourceSha256": [sha256(path) for path in sources],
        "Grid": volume.grid.to_json(),
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
    }


def _white_matter(volume: Volume, lesions: Mask, path: Path | None) -> BoolArray:
    """Return where white matter is the most probable tissue: in a given map, or found in a scan in MNI space."""
    if path is not None:
        white = read_volume(path)
        if not white.grid.matches(volume.grid):
            what = f"the white matter lies on another grid ({white.grid}) than the scan ({volume.grid})"
            raise InputError(path, what, "Resample it onto the scan's grid")
        low, high = float(white.data.min()), float(white.data.max())
        if low < 0.0 or high > 1.0:
            what = f"its values range from {low:g} to {high:g}, so it is neither a mask nor a probability map"
            raise InputError(path, what, "Give a map of values from 0 to 1")
        return white.data > WHITE
    return find_white_matter(volume, lesions.data)
