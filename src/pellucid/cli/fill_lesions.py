"""`pellucid fill-lesions`: one scan without its lesions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import console
from pellucid.ground.errors import InputError
from pellucid.ground.numbers import count

if TYPE_CHECKING:
    from pellucid.ground.arrays import BoolArray
    from pellucid.image.nifti import Mask, Volume
    from pellucid.preprocess.filling import Filled

EXAMPLE = (
    "Example: pellucid fill-lesions sub-01_FLAIR.nii.gz sub-01_lesions.nii.gz --out sub-01_desc-filled_FLAIR.nii.gz"
)

_GIVE = "Or give its white matter with --white-matter: then the scan may lie anywhere"

WHITE = 0.5  # a tissue that is more probable than that is the most probable one


def fill_lesions(
    image: Annotated[Path, typer.Argument(help="A FLAIR or T1w, brain-extracted, .nii or .nii.gz.")],
    mask: Annotated[Path, typer.Argument(help="Its lesion mask, on the same grid.")],
    *,
    out: Annotated[Path, typer.Option(help="The filled scan to write, .nii or .nii.gz; a .json goes beside it.")],
    method: Annotated[
        str,
        typer.Option(
            help="'local': from the healthy white matter around each lesion. 'slice': one number an axial slice, as "
            "the paper's code did."
        ),
    ] = "local",
    white_matter: Annotated[
        Path | None,
        typer.Option(
            help="Mask or probability map of white matter; if not given, it is found in the scan, in MNI space."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same image.")] = 0,
) -> None:
    """Fill the lesions of a scan with the look of white matter. For research only: the filled scan hides disease."""
    from pellucid.cli.pairing import match_masks
    from pellucid.cohort.admission import admit
    from pellucid.image.nifti import SUFFIXES, read_mask, read_volume, sidecar_path, write_volume
    from pellucid.preprocess.filling import METHODS
    from pellucid.preprocess.filling import fill_lesions as fill

    if method not in METHODS:
        raise InputError("--method", f"is {method!r}", f"Give one of {', '.join(METHODS)}")
    if seed < 0:
        raise InputError("--seed", f"is {seed}", "Give a whole number of at least 0")
    if not out.name.endswith(SUFFIXES):
        raise InputError("--out", f"is {str(out)!r}, which is no NIfTI file's name", "End it in .nii or .nii.gz")
    for path in (image, mask, white_matter):
        # a.nii and a.nii.gz share a.json.
        if path and str(path.resolve()).removesuffix(".gz") == str(out.resolve()).removesuffix(".gz"):
            raise InputError("--out", f"would overwrite its own input {path}, or its .json", "Give another name")
    match_masks([image], [mask])  # one scan's lesions are not filled by the mask of another
    volume = read_volume(image)
    lesions = read_mask(mask, volume.grid)
    empty = not lesions.data.any()
    # A scan whose white matter is given may lie anywhere and have its skull; white matter is found in MNI space alone.
    looked = {} if empty or white_matter else admit(image, modality="", anyway=_GIVE).sidecar
    white = lesions.data if empty else _white_matter(volume, lesions, white_matter)
    filled = fill(volume.data, lesions.data, white, volume.grid, seed=seed, method=method)
    sidecar = describe(filled, volume, lesions, method=method, seed=seed, white_matter=white_matter, folder=out.parent)
    sidecar |= looked
    write_volume(
        out,
        filled.image,
        volume.grid,
        description=f"Pellucid lesions filled, {method}",
        sidecar=sidecar,
        forms_of=image,
    )
    said = [*volume.remarks] if not looked else [sidecar["Gate"]["Remark"]]
    for path, remarks in ((image, said), (mask, lesions.remarks)):
        console.mark({path: "; ".join(remark for remark in remarks if remark)})
    if empty:
        console.say(f"the mask {mask} is empty: the scan is written as it is")
    else:
        ml = sidecar["LesionMl"], sidecar["ChangedMl"]
        console.say("filled: {:.2f} ml of lesions; with their rims, {:.2f} ml changed".format(*ml))
    for key, words in REMARKS.items():
        if sidecar[key]:
            console.say(f"{count(sidecar[key], 'voxel')} {words}")
    console.say(f"written: {out} and {sidecar_path(out).name}. For research only: lesions cannot be seen in it.")


REMARKS = {
    "WideVoxels": "with little healthy white matter around, filled from farther away",
    "WholeBrainVoxels": "with no healthy white matter within 30 mm, filled from that of the whole brain",
    "UnfilledVoxels": "of lesions left as they were: off the brain, or, by slice, in a slice without white matter",
}


def describe(
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
    import pellucid
    from pellucid.ground.files import sha256
    from pellucid.maps.maps import relative

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
    from pellucid.image.nifti import read_volume
    from pellucid.preprocess.white_matter import find_white_matter

    if path is not None:
        white = read_volume(path)
        if not white.grid.matches(volume.grid):
            what = f"the white matter lies on another grid ({white.grid}) than the scan ({volume.grid})"
            raise InputError(path, what, "Resample it onto the scan's grid")
        low, high = float(white.data.min()), float(white.data.max())
        if low < 0.0 or high > 1.0:
            what = f"its values run from {low:g} to {high:g}, so it is no mask and no probability map"
            raise InputError(path, what, "Give a map of values from 0 to 1")
        return white.data > WHITE
    return find_white_matter(volume, lesions.data)
