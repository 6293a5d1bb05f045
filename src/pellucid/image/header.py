"""What a NIfTI header claims, weighed before a voxel is read: against the file, anatomy and this machine's memory."""

from __future__ import annotations

import logging
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from pellucid.ground.errors import InputError, brief
from pellucid.ground.memory import demand_memory
from pellucid.ground.opening import without_content
from pellucid.image.grid import Affine, flaw
from pellucid.image.unpack import Content

_EXPORT = "Copy or export it again"
_CHUNK = 1 << 16
_KINDS: dict[int, tuple[Any, bytes, int]] = {  # by the size that a header begins with: class, magic, where that stands
    348: (nib.Nifti1Header, b"n+1\0", 344),
    540: (nib.Nifti2Header, b"n+2\0", 4),
}
_PAIRS = (b"ni1\0", b"ni2\0")
_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}  # NIFTI_UNITS, and the millimetres of one
_ROUNDING = 1e-5  # by so much may a quaternion's square be longer than 1: its numbers are rounded

_PAGES = (b"<!doctype", b"<html")
_NOT_NIFTI = "Convert it to .nii or .nii.gz: DICOM with dcm2niix, .mgz with mri_convert, NIfTI pairs with nibabel"

# nibabel mends what is odd in a header and logs it; what matters of that is said by us, with the file's name.
_SILENT = logging.Logger("pellucid.nibabel")
_SILENT.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says, once it is known to make sense.

    Parameters
    ----------
    shape
        Voxels (X, Y, Z).
    dtype
        The type of a stored voxel, its byte order included.
    offset
        Bytes before the first voxel.
    slope, inter
        `value = slope * stored + inter`; both None where values are as they are stored.
    affine
        Voxels to millimetres: the sform where there is one, else the qform.
    remarks
        What was odd, and how it was taken: sform, qform and the stated size of a voxel that place corners more than 1
        mm apart (tools differ in which they follow; this one, like nibabel, follows the sform), units, a damaged qform.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float | None
    inter: float | None
    affine: Affine
    remarks: tuple[str, ...]

    @property
    def voxel_bytes(self) -> int:
        """The bytes that the voxels take in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path, content: Content) -> Header:
    """Read the header of a NIfTI file from its start, up to its first voxel, and weigh what it claims.

    Raises
    ------
    InputError
        The file is no NIfTI, its header is damaged or no 3D image's, its affine is absent, singular or of no head,
        its qform and its sform disagree about left and right, or it claims more than the file or the memory holds.
    """
    first = content.read(8)
    size = next((n for n in _KINDS if first[:4] in (struct.pack("<i", n), struct.pack(">i", n))), None)
    block = first + content.read((size or 348) - len(first))
    if size is None or block[_KINDS[size][2] :][:4] != _KINDS[size][1]:
        raise _no_nifti(path, block, size)
    if len(block) < size:
        raise InputError(path, f"the file is truncated: it ends after {len(block)} bytes, in its header", _EXPORT)
    header, remarks = _parse(path, _KINDS[size][0], block, "<" if first[:4] == struct.pack("<i", size) else ">")
    shape = _shape(path, header)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        what = f"the voxels are of type {dtype}, not a real number"
        raise InputError(path, what, "Save the image with one real number per voxel")
    offset = _offset(path, header, size)
    claimed = offset + math.prod(shape) * dtype.itemsize
    if claimed > content.most:
        holds = f"{'at most ' if content.packed else ''}{content.most} bytes"
        what = f"the file is truncated: it holds {holds}, and its header says {claimed} ({_times(shape)} voxels)"
        raise InputError(path, what, _EXPORT)
    slope, inter = _scaling(path, header)
    affine, odd = _affine(path, header, shape)
    # Beside what is stored there are its float32, that scaled in float64, and a copy on another grid.
    each = dtype.itemsize + 8 + (8 if slope not in (None, 1.0) else 0)
    demand_memory(path, math.prod(shape) * each, f"its image of {_times(shape)} voxels")
    for start in range(size, offset, _CHUNK):
        content.read(min(_CHUNK, offset - start))
    return Header(shape, dtype, offset, slope, inter, affine, (*remarks, *odd))


def raw_header(content: Content) -> Any:
    """Return the header of an image that `read_header` has accepted, as nibabel reads it, nothing mended."""
    first = content.read(4)
    order = "<" if struct.unpack("<i", first)[0] in _KINDS else ">"
    (size,) = struct.unpack(f"{order}i", first)
    return _KINDS[size][0](first + content.read(size - len(first)), endianness=order, check=False)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _no_nifti(path: Path, block: bytes, size: int | None) -> InputError:
    """Say what a file is that is no NIfTI image of one file."""
    if not block:
        return InputError(path, "the file is empty", _EXPORT)
    if elsewhere := without_content(path):
        return elsewhere
    if block.lower().startswith(_PAGES):
        return InputError(path, "it is a web page, not an image", "Download the file itself")
    if size is not None and block[_KINDS[size][2] :][:4] in _PAIRS:
        return InputError(path, "it is only the header of an image with two files (.hdr and .img)", _NOT_NIFTI)
    return InputError(path, "the file is not NIfTI", _NOT_NIFTI)


def _parse(path: Path, kind: Any, block: bytes, order: str) -> tuple[Any, list[str]]:
    """Return nibabel's header of a block of bytes, mended as nibabel mends it, and what of that matters."""
    try:
        header = kind(block, endianness=order, check=False)
        codes = {name: int(header[name]) for name in ("sform_code", "qform_code")}
        header.check_fix(logger=_SILENT, error_level=40)
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise InputError(path, f"its NIfTI header is damaged ({brief(error)})", _EXPORT) from None
    return header, [
        f"its {name} {code} is not defined in NIfTI; that form was ignored"
        for name, code in codes.items()
        if int(header[name]) != code
    ]


class NotOneVolumeError(InputError):
    """An image that has not three axes: a series of volumes, or a slice."""


def _shape(path: Path, header: Any) -> tuple[int, int, int]:
    """Return the number of voxels along three axes; trailing axes of length 1 are dropped."""
    dims = [int(n) for n in header["dim"]]
    shape = dims[1 : 1 + dims[0]]
    if not 1 <= dims[0] <= 7 or min(shape) < 1:
        what = f"its NIfTI header is damaged (the dimensions are {', '.join(map(str, dims))})"
        raise InputError(path, what, _EXPORT)
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) != 3:
        what = f"the image has {len(shape)} dimensions ({_times(tuple(shape))}), not 3"
        raise NotOneVolumeError(path, what, "Give one volume; split a series into its volumes first")
    return shape[0], shape[1], shape[2]


def _offset(path: Path, header: Any, size: int) -> int:
    """Return the bytes before the first voxel: those of the header, four that announce extensions, and extensions."""
    offset = float(header["vox_offset"]) or size + 4.0  # 0 stands for the least, as in nibabel and NIfTI's own library
    if not math.isfinite(offset) or offset != int(offset) or offset < size + 4:
        raise InputError(path, f"its NIfTI header is damaged (vox_offset is {offset:g})", _EXPORT)
    return int(offset)


def _scaling(path: Path, header: Any) -> tuple[float | None, float | None]:
    """Return slope and intercept; a slope of 0 or of no number means that there is none."""
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise InputError(path, f"its NIfTI header is damaged ({brief(error)})", _EXPORT) from None
    return slope, inter


def _qform(header: Any) -> tuple[Affine | None, str | None]:
    """Return the affine of the quaternion, None where its code is 0 or it is none, and what is wrong with it.

    A quaternion's numbers are rounded, so that the square of its length may be a little more than 1; it is shortened.
    """
    if not int(header["qform_code"]):
        return None, None
    with np.errstate(all="ignore"):  # what is not finite is refused below
        bcd = np.array([float(header[f"quatern_{letter}"]) for letter in "bcd"])
        square = float(bcd @ bcd)
        if not square <= 1.0 + _ROUNDING:
            return None, f"a quaternion whose square is {square:g}, more than 1"
        if square > 1.0:
            header = header.copy()
            for letter, value in zip("bcd", bcd * (1.0 - 1e-12) / math.sqrt(square), strict=True):
                header[f"quatern_{letter}"] = value
        affine = np.asarray(header.get_qform(), dtype=np.float64)
    return (affine, None) if np.isfinite(affine).all() else (None, "it holds no finite numbers")


def _affine(path: Path, header: Any, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    """Return the affine in millimetres, and what is odd about it."""
    qform, trouble = _qform(header)
    sform = header.get_sform() if int(header["sform_code"]) else None
    affine = sform if sform is not None else qform
    if affine is None and trouble:
        raise InputError(path, f"its only affine, the qform, is damaged ({trouble})", "Convert the scan again")
    if affine is None:
        what = "the header holds no affine (sform_code and qform_code are 0), so left and right are unknown"
        raise InputError(path, what, "Convert the scan again from DICOM, or register it to MNI space")
    factor, remark = _millimetres(header, shape, affine)
    if wrong := flaw(shape, _scaled(affine, factor)):
        raise InputError(path, wrong, "Convert the scan again, or restore its header")
    remarks = [remark] if remark else []
    if sform is not None and qform is not None and (wrong := flaw(shape, _scaled(qform, factor))):
        trouble, qform = wrong, None
    if trouble:
        remarks.append(f"its qform is damaged ({trouble}); the sform was followed")
    if sform is not None and qform is not None:
        if np.linalg.det(qform[:3, :3]) * np.linalg.det(sform[:3, :3]) < 0.0:
            what = "its qform and its sform disagree about left and right"
            raise InputError(path, what, "Convert the scan again from DICOM, or remove the form that is wrong")
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], [1], indexing="ij")).reshape(4, -1)
        distance = factor * float(np.linalg.norm(((qform - sform) @ corners)[:3], axis=0).max())
        if distance > 1.0:
            remarks.append(f"its qform and its sform lie up to {distance:.0f} mm apart; the sform was followed")
    elif sform is not None and not trouble:
        stated, own = np.abs(header["pixdim"][1:4]).astype(np.float64), np.linalg.norm(sform[:3, :3], axis=0)
        if (stated > 0).all() and not factor * float((np.abs(own - stated) * shape).max()) <= 1.0:
            said, follows = ("x".join(f"{n:.3g}" for n in sizes) for sizes in (stated, own))
            remarks.append(f"its header states voxels of {said}, its sform {follows}; the sform was followed")
    return _scaled(affine, factor), remarks


def _millimetres(header: Any, shape: tuple[int, int, int], affine: Affine) -> tuple[float, str | None]:
    """Return what makes millimetres of the affine's unit, and what to say of it.

    Files name their unit wrongly, so it is believed only where a head comes of it.
    """
    unit = _UNITS.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        return 1.0, None
    name, factor = unit
    if flaw(shape, affine) is None:
        return 1.0, f"its header says {name}, of which no head comes; its affine was taken as millimetres"
    if flaw(shape, _scaled(affine, factor)) is None:
        return factor, f"its affine is in {name}; millimetres were made of it"
    return 1.0, None


def _scaled(affine: Affine, factor: float) -> Affine:
    with np.errstate(all="ignore"):  # what is not finite is refused by `flaw`
        return np.asarray(affine * np.array([[factor], [factor], [factor], [1.0]]), dtype=np.float64)
