"""NIfTI in and out: a volume is read whole and checked, or refused; it is written whole or not at all."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from pellucid.errors import InputError
from pellucid.files import atomic_path, missing_file, without_content, write_json
from pellucid.image.grid import Grid

SUFFIXES = (".nii.gz", ".nii")

_Nifti1Image: Any = nib.Nifti1Image  # typed as Any, for nibabel says it is typed and leaves these calls out

Space = Literal["MNI", "scanner"]
_FORM_CODES: dict[Space, int] = {"MNI": 4, "scanner": 1}  # NIFTI_XFORM_MNI_152, NIFTI_XFORM_SCANNER_ANAT
_DESCRIPTION_BYTES = 79  # the header's field holds 80 with its closing zero
_SINGULAR = 1e-6  # a volume per product of spacings below this is no volume


@dataclass(frozen=True, slots=True)
class Volume:
    """An image `data`: (X, Y, Z) float32 on `grid`; `path` says where it came from."""

    data: npt.NDArray[np.float32]
    grid: Grid
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    """A binary image `data`: (X, Y, Z) bool on `grid`; `path` says where it came from."""

    data: npt.NDArray[np.bool_]
    grid: Grid
    path: Path | None = None


def read_volume(path: str | Path) -> Volume:
    """Read a three-dimensional NIfTI image as float32, its intensity scaling applied.

    Trailing axes of length 1 are dropped. Where the header holds two affines the sform counts, as in nibabel.

    Raises
    ------
    InputError
        The file is missing, truncated, corrupt or no NIfTI; the image is not 3D; its affine is absent (both form codes
        0) or singular; a voxel is NaN or infinite; or every voxel is 0.
    """
    path = Path(path)
    data, grid = _read(path)
    if not data.any():
        raise InputError(path, "every voxel of the image is 0", "Export or process the scan again")
    return Volume(data, grid, path)


def read_mask(path: str | Path, grid: Grid | None = None) -> Mask:
    """Read a binary mask of 0 and 1; with `grid`, insist that it lies on it. A mask without any voxel is allowed.

    Raises
    ------
    InputError
        As `read_volume` (but all 0 is allowed), and where a voxel is neither 0 nor 1 or the mask is on another grid.
    """
    path = Path(path)
    data, own = _read(path)
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
    return Mask(mask, own, path)


def write_volume(
    path: str | Path,
    data: npt.NDArray[Any],
    grid: Grid,
    dtype: npt.DTypeLike = np.float32,
    *,
    description: str = "",
    sidecar: dict[str, Any] | None = None,
    compresslevel: int = 1,
    space: Space = "MNI",
    slope: float | None = None,
) -> None:
    """Write `data`: (X, Y, Z) as NIfTI-1 in millimetres, atomically, with a JSON sidecar.

    `space` says what the grid's millimetres are: MNI space (form codes 4) or the scanner's (form codes 1). With
    `slope`, readers multiply the stored values by it. The same input gives the same bytes. The sidecar is in place
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


def form_conflict(path: str | Path) -> str | None:
    """Say how far apart the two affines of a NIfTI header place its corners, if by more than 1 mm; None otherwise.

    Tools differ in which of them they follow; Pellucid, like nibabel, follows the sform.

    Raises
    ------
    InputError
        They disagree about left and right, or the file cannot be read.
    """
    path = Path(path)
    image = _parse(path, _content(path))
    qform, sform = image.get_qform(coded=True)[0], image.get_sform(coded=True)[0]
    if qform is None or sform is None:
        return None
    if np.linalg.det(qform[:3, :3]) * np.linalg.det(sform[:3, :3]) < 0.0:
        what = "its qform and its sform disagree about left and right"
        raise InputError(path, what, "Convert the scan again from DICOM, or remove the form that is wrong")
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.shape[:3]], [1], indexing="ij")).reshape(4, -1)
    distance = float(np.linalg.norm(((qform - sform) @ corners)[:3], axis=0).max())
    return (
        f"its qform and its sform lie up to {distance:.0f} mm apart; the sform was followed" if distance > 1 else None
    )


def sidecar_path(path: Path) -> Path:
    """Return the JSON file beside a NIfTI file: `a.nii.gz` has `a.json`."""
    return path.with_name(f"{stem(path)}.json")


def stem(path: Path) -> str:
    """Return a NIfTI file's name without `.nii.gz` or `.nii`; raise ValueError at another suffix."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    raise ValueError(f"a NIfTI file's name ends in .nii.gz or .nii; got {path.name}")


def _read(path: Path) -> tuple[npt.NDArray[np.float32], Grid]:
    """Read a finite 3D image and its grid; raise InputError otherwise."""
    image = _parse(path, _content(path))
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        what = f"the image has {len(shape)} dimensions ({'x'.join(map(str, shape))}), not 3"
        raise InputError(path, what, "Give one volume; split a series into its volumes first")
    if image.get_data_dtype().kind not in "iuf":
        what = f"the voxels are of type {image.get_data_dtype()}, not a real number"
        raise InputError(path, what, "Save the image with one real number a voxel")
    affine = _affine(path, image)
    try:
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused below
            data = np.asarray(image.dataobj).reshape(shape).astype(np.float32)
    except (ValueError, OSError, EOFError) as error:
        what = f"the file is truncated: it holds fewer voxels than its header says ({error})"
        raise InputError(path, what, "Copy or export it again") from None
    bad = int(data.size - np.count_nonzero(np.isfinite(data)))
    if bad:
        what = f"{bad} of {data.size} voxels are NaN or infinite"
        raise InputError(path, what, "Find the step that made them; set them to 0 if they lie outside the brain")
    return data, Grid.of((shape[0], shape[1], shape[2]), affine)


def _content(path: Path) -> bytes:
    """Return a file's bytes, unpacked if they are gzip; reading to the end lets gzip check its sum."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise missing_file(path) from None
    except IsADirectoryError:
        raise InputError(path, "this is a folder, not an image", "Give a .nii or .nii.gz file") from None
    except OSError as error:
        raise InputError(path, f"the file cannot be read ({error.strerror})", "Check its permissions") from None
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = f"the gzip file is truncated or corrupt ({error})"
        raise InputError(path, what, "Copy or export it again") from None


def _parse(path: Path, content: bytes) -> Any:
    """Make a nibabel image of a NIfTI file's bytes."""
    size = {int.from_bytes(content[:4], order) for order in ("little", "big")}
    try:
        if 540 in size and content[4:8] in (b"n+2\0", b"ni2\0"):
            return nib.Nifti2Image.from_bytes(content)
        if 348 in size and content[344:348] == b"n+1\0":
            return _Nifti1Image.from_bytes(content)
    except (ImageFileError, HeaderDataError, ValueError, OSError, EOFError) as error:
        raise InputError(path, f"its NIfTI header is damaged ({error})", "Copy or export it again") from None
    if (elsewhere := without_content(path)) is not None:
        raise elsewhere
    raise InputError(path, "the file is not NIfTI", "Convert it to .nii or .nii.gz, for example with dcm2niix")


def _affine(path: Path, image: Any) -> npt.NDArray[np.float64]:
    """Return the image's affine; raise InputError if it is absent or singular."""
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        what = "the header holds no affine (sform_code and qform_code are 0), so left and right are unknown"
        raise InputError(path, what, "Convert the scan again from DICOM, or register it to MNI space")
    affine = np.asarray(image.affine, dtype=np.float64)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    volume = abs(float(np.linalg.det(affine[:3, :3]))) if np.isfinite(affine).all() else 0.0
    if volume <= _SINGULAR * float(np.prod(sizes)) or volume == 0.0:
        rows = "; ".join(" ".join(f"{v:g}" for v in row) for row in affine[:3])
        raise InputError(path, f"the affine is singular ({rows})", "Convert the scan again, or restore its affine")
    return affine


def _corner(grid: Grid) -> str:
    """Describe a grid with its first voxel, which tells apart grids of one shape."""
    i, j, k = grid.affine[:3, 3]
    return f"{grid}, first voxel at ({i:.4g}, {j:.4g}, {k:.4g}) mm"
