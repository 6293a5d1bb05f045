"""`pellucid fill-lesions`: one scan without its lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console
from pellucid.ground.numbers import count

EXAMPLE = (
    "Example: pellucid fill-lesions sub-01_FLAIR.nii.gz sub-01_lesions.nii.gz --out sub-01_desc-filled_FLAIR.nii.gz"
)

REMARKS = {
    "WideVoxels": "with little healthy white matter nearby, filled from farther away",
    "WholeBrainVoxels": "with no healthy white matter within 30 mm, filled from that of the whole brain",
    "UnfilledVoxels": "of lesions not filled: outside the brain or, with slice, in a slice without white matter",
}


def fill_lesions(
    image: Annotated[Path, typer.Argument(help="A FLAIR or T1w, brain-extracted, .nii or .nii.gz.")],
    mask: Annotated[Path, typer.Argument(help="Its lesion mask, on the same grid.")],
    *,
    out: Annotated[
        Path, typer.Option(help="The filled scan to write, .nii or .nii.gz; a .json with the same name is written too.")
    ],
    method: Annotated[
        str,
        typer.Option(
            help="'local': from the healthy white matter around each lesion. 'slice': one number per axial slice, as "
            "the paper's code did."
        ),
    ] = "local",
    white_matter: Annotated[
        Path | None,
        typer.Option(
            help="Mask or probability map of white matter. Default: found automatically, if the scan is in MNI space."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same image.")] = 0,
) -> None:
    """Fill the lesions of a scan so that they look like white matter. For research only: this hides disease."""
    from pellucid.preprocess.filled_scan import fill_scan

    done = fill_scan(image, mask, out=out, method=method, white_matter=white_matter, seed=seed)
    console.mark(done.remarks)
    if done.empty:
        console.say(f"the mask {mask} is empty: the scan is written unchanged")
    else:
        ml = done.sidecar["LesionMl"], done.sidecar["ChangedMl"]
        console.say("filled: {:.2f} ml of lesions; with their rims, {:.2f} ml changed".format(*ml))
    for key, words in REMARKS.items():
        if done.sidecar[key]:
            console.say(f"{count(done.sidecar[key], 'voxel')} {words}")
    file, sidecar = done.files
    console.say(f"written: {file} and {sidecar.name}. For research only: it does not show the lesions.")
