"""NIfTI in and out: a volume is read whole and checked, or refused; it is written whole or not at all."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from pellucid.ground.arrays import AnyArray, BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.ground.files import atomic_path, write_json
from pellucid.image.grid import Grid
from pellucid.image.header import Header, raw_header, read_header
from pellucid.image.unpack import Content, unpacked

SUFFIXES = (".nii.gz", ".nii")

_Nifti1Image: Any = nib.Nifti1Image  # typed as Any, for nibabel says it is typed and leaves these calls out

Space = Literal["MNI", "scanner"]
_FORM_CODES: dict[Space, int] = {"MNI": 4, "scanner": 1}  # NIFTI_XFORM_MNI_152, NIFTI_XFORM_SCANNER_ANAT
_DESCRIPTION_BYTES = 79  # the header's field holds 80 with its closing zero
_FORMS = (
    *("qform_code", "sform_code", "xyzt_units", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)
_PADDING = 4096  # bytes of 0 that may follow the voxels: writers fill up their last block


@dataclass(frozen=True, slots=True)
class Volume:
    """An image `data`: (X, Y, Z) float32 on `grid`.

    `path` says where it came from, `remarks` what was odd about its file and how that was taken.
    """

    data: Float32Array
    grid: Grid
    path: Path | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mask:
    """A binary image `data`: (X, Y, Z) bool on `grid`; `path` and `remarks` as those of a `Volume`."""

    data: BoolArray
    grid: Grid
    path: Path | None = None
    remarks: tuple[str, ...] = ()


def read_volume(path: str | Path) -> Volume:
    """Read a three-dimensional NIfTI image as float32, its intensity scaling applied.

    Trailing axes of length 1 are dropped. Where the header holds two affines the sform counts, as in nibabel. What the
    header claims is weighed before a voxel is read (`pellucid.image.header`).

    Raises
    ------
    InputError
        The file is missing, truncated, corrupt, no regular file or no NIfTI; it is longer or shorter than its header
        says; the image is not 3D; its affine is absent (both form codes 0), singular or of no head; a voxel is NaN or
        infinite; or every voxel is 0.
    """
    path = Path(path)
    data, grid, remarks = _read(path)
    if not data.any():
        raise InputError(path, "every voxel of the image is 0", "Export or process the scan again")
    return Volume(data, grid, path, remarks)


def read_mask(path: str | Path, grid: Grid | None = None) -> Mask:
    """Read a binary mask of 0 and 1; with `grid`, insist that it lies on it. A mask without any voxel is allowed.

    Raises
    ------
    InputError
        As `read_volume` (but all 0 is allowed), and where a voxel is neither 0 nor 1 or the mask is on another grid.
    """
    path = Path(path)
    data, own, remarks = _read(path)
    mask = np.abs(data - 1.0) < 1e-3  # integer masks stored with a scale factor miss 1 by rounding
    stray = ~mask & (np.abs(data) >= 1e-3)
    if stray.any():
        raise InputError(
            path,
            f"the mask is not binary: {int(stray.sum())} voxels are neither 0 nor 1 (for example {data[stray][0]:g})",
            "Threshold it to 0 and 1 and save it again",
        )
    if grid is not None and not own.matches(grid):
        raise InputError(
            path,
            f"the mask lies on another grid ({_corner(own)}) than its image ({_corner(grid)})",
            "Resample the mask onto the image's grid with nearest-neighbour interpolation",
        )
    return Mask(mask, own, path, remarks)


def write_volume(
    path: str | Path,
    data: AnyArray,
    grid: Grid,
    dtype: npt.DTypeLike = np.float32,
    *,
    description: str = "",
    sidecar: dict[str, Any] | None = None,
    compresslevel: int = 1,
    space: Space = "MNI",
    slope: float | None = None,
    forms_of: Path | None = None,
) -> None:
    """Write `data`: (X, Y, Z) as NIfTI-1 in millimetres, atomically, with a JSON sidecar.

    `space` says what the grid's millimetres are: MNI space (form codes 4) or the scanner's (form codes 1). With
    `slope`, readers multiply the stored values by it. With `forms_of`, an image on the same grid, the header says where
    the voxels lie exactly as that image's does. The same input gives the same bytes. The sidecar is in place
    before the volume is, so a volume that exists has its sidecar. Level 1 compresses a map in a tenth of the time of
    level 9 and nearly as small.

    Raises
    ------
    ValueError
        `data` is not on `grid`, the file's name ends otherwise than `.nii` or `.nii.gz`, or `description` exceeds 79
        bytes.
    """
    path = Path(path)
    if data.shape != grid.shape:
        raise ValueError(f"data of shape {data.shape} is not on the grid {grid}")
    if len(description.encode()) > _DESCRIPTION_BYTES:
        raise ValueError(f"a NIfTI description holds {_DESCRIPTION_BYTES} bytes; got {len(description.encode())}")
    json_path = sidecar_path(path)
    kind = np.dtype(np.uint8) if np.dtype(dtype) == np.bool_ else np.dtype(dtype)
    image = _Nifti1Image(data.astype(kind), grid.affine, dtype=kind)
    if slope is not None:
        image.header.set_slope_inter(slope, 0.0)
    image.header["descrip"] = description.encode()
    image.header.set_xyzt_units("mm")
    if forms_of is not None:
        _copy_forms(forms_of, image.header)
    else:
        image.set_sform(grid.affine, code=_FORM_CODES[space])
        try:
            image.set_qform(grid.affine, code=_FORM_CODES[space], strip_shears=False)
        except HeaderDataError:
            image.set_qform(None, code=0)  # a quaternion cannot say a shear; better no qform than a wrong one
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, compresslevel=compresslevel, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        if sidecar is not None:
            write_json(json_path, sidecar)


def _copy_forms(path: Path, header: Any) -> None:
    """Give a header the qform, the sform, their codes, the voxel sizes and the unit of the image at `path`."""
    with unpacked(path) as content:
        theirs = raw_header(content)
    for name in _FORMS:
        header[name] = theirs[name]
    header["pixdim"][:4] = theirs["pixdim"][:4]


def sidecar_path(path: Path) -> Path:
    """Return the JSON file beside a NIfTI file: `a.nii.gz` has `a.json`."""
    return path.with_name(f"{stem(path)}.json")


def stem(path: Path) -> str:
    """Return a NIfTI file's name without `.nii.gz` or `.nii`; raise ValueError at another suffix."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    raise ValueError(f"a NIfTI file's name ends in .nii.gz or .nii; got {path.name}")


def _read(path: Path) -> tuple[Float32Array, Grid, tuple[str, ...]]:
    """Read a finite 3D image, its grid, and what is odd about its file; raise InputError otherwise."""
    with unpacked(path) as content:
        header = read_header(path, content)
        stored = np.empty(header.voxel_bytes, dtype=np.uint8)
        got = content.read_into(stored.data)
        if got < stored.size:
            what = f"the file is truncated: it holds fewer voxels than its header says ({got} of {stored.size} bytes)"
            raise InputError(path, what, "Copy or export it again")
        remarks = header.remarks + _behind(path, header, content)
    values = stored.view(header.dtype).reshape(header.shape, order="F")
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 becomes infinite, and is refused below
        if header.slope is not None and (header.slope, header.inter) != (1.0, 0.0):
            values = apply_read_scaling(values, header.slope, header.inter)
        data = values.astype(np.float32, order="K", copy=False)
    bad = int(data.size - np.count_nonzero(np.isfinite(data)))
    if bad:
        what = f"{bad} of {data.size} voxels are NaN or infinite"
        raise InputError(path, what, "Find the step that made them; set them to 0 if they are outside the brain")
    return data, Grid.of(header.shape, header.affine), remarks


def _behind(path: Path, header: Header, content: Content) -> tuple[str, ...]:
    """Read what follows the voxels, so that gzip's sum is checked; remark on padding, refuse anything else.

    A file that holds more than its header says has another shape than its header says, one bit of which was lost. A
    plane of zeros may be one of the image's background, so padding is shorter than any plane.
    """
    x, y, z = header.shape
    plane = min(x * y, y * z, x * z) * header.dtype.itemsize
    rest = content.read(_PADDING + 1)
    if rest and (len(rest) > _PADDING or len(rest) >= plane or rest.strip(b"\0")):
        more = "more than " if len(rest) > _PADDING else ""
        what = (
            f"the file holds {more}{min(len(rest), _PADDING)} bytes more than its header says "
            f"({x}x{y}x{z} voxels of {header.dtype}): one of them is damaged"
        )
        raise InputError(path, what, "Copy or export it again")
    remarks = [f"{len(rest)} bytes of 0 follow its voxels and were passed over"] if rest else []
    if content.after:
        remarks.append(f"{content.after} bytes follow the gzip file's end and were passed over, as gzip does")
    return tuple(remarks)


def _corner(grid: Grid) -> str:
    """Describe a grid with its first voxel, which tells apart grids of one shape."""
    i, j, k = grid.affine[:3, 3]
    return f"{grid}, first voxel at ({i:.4g}, {j:.4g}, {k:.4g}) mm"
