"""Mutated NIfTI files, read and prepared in a process of bounded memory; prints what became of them as JSON.

`python mutants.py FOLDER random 2000 SEED` makes files by chance; `python mutants.py FOLDER flips` flips each bit of a
header of 352 bytes.
"""

from __future__ import annotations

import collections
import gzip
import json
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from pellucid.ground.errors import PellucidError
from pellucid.image.grid import MNI_2MM, resized
from pellucid.image.nifti import Volume, read_mask, read_volume
from pellucid.image.prepare import prepare
from pellucid.image.resample import resample, resample_mask

SHAPE = (23, 27, 23)
AFFINE = np.diag([-8.0, 8, 8, 1])
AFFINE[:3, 3] = (88, -126, -72)
GRID = resized(MNI_2MM, SHAPE)
ROOM = 1 << 30  # bytes beyond what the imports took
SECONDS = 60  # one file may take

EXTREMES: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    7,
    8,
    127,
    255,
    32767,
    -32768,
    2**31 - 1,
    2**62,
    1e-38,
    1e19,
    1e38,
    np.inf,
    -np.inf,
    np.nan,
)


class TooLongError(BaseException):
    """A file took longer than anybody waits."""


def image(kind: Any = nib.Nifti1Image, dtype: Any = np.float32, endianness: str = "<") -> bytes:
    """Return an image of a brain's size: bright inside, 0 outside."""
    place = np.indices(SHAPE).reshape(3, -1).T @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    inside = (np.linalg.norm((place - (0, -21, 10)) / (65, 85, 65), axis=1) < 1).reshape(SHAPE)
    values = np.where(inside, np.random.default_rng(0).uniform(50, 100, SHAPE), 0)
    made = kind(values.astype(dtype), AFFINE, kind.header_class(endianness=endianness))
    made.set_sform(AFFINE, 4)
    made.set_qform(AFFINE, 4)
    made.header.set_data_dtype(dtype)
    made.header.set_xyzt_units("mm")
    return bytes(made.to_bytes())


def mutate(content: bytes, kind: Any, rng: np.random.Generator) -> bytes:
    """Return a file with one to three things wrong in it, packed or not."""
    size = kind.header_class.sizeof_hdr
    raw = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        match rng.integers(6):
            case 0 | 1:
                place = int(rng.integers(min(size, len(raw)) or 1))
                raw[place : place + 1] = bytes([raw[place] ^ 1 << int(rng.integers(8))]) if place < len(raw) else b""
            case 2 if len(raw) >= size:
                head = np.ndarray((), kind.header_class.template_dtype, raw)
                name = str(rng.choice(head.dtype.names))
                value = EXTREMES[rng.integers(len(EXTREMES))]
                try:
                    if head[name].ndim:
                        head[name][rng.integers(len(head[name]))] = value
                    else:
                        head[name] = value
                except (OverflowError, ValueError, TypeError):
                    pass  # no number of that field's
            case 3:
                del raw[int(rng.integers(len(raw) + 1)) :]
            case 4:
                raw += bytes(
                    rng.integers(0, 256 if rng.random() < 0.5 else 1, int(rng.integers(1, 20_000)), dtype=np.uint8)
                )
            case _:
                for place in rng.integers(len(raw), size=4) if raw else ():
                    raw[place] ^= 1 << int(rng.integers(8))
    if rng.random() < 0.4:
        raw = bytearray(gzip.compress(bytes(raw), 1, mtime=0))
        if rng.random() < 0.3:
            raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.1:
            del raw[int(rng.integers(len(raw))) :]
    return bytes(raw)


def use(path: Path) -> Volume:
    """Read a file as a scan and as a mask, and bring it to a model's grid, as the commands do."""
    try:
        mask = read_mask(path)
        resample_mask(mask.data, mask.grid, GRID)
    except PellucidError:
        pass
    volume = read_volume(path)
    assert volume.data.shape == volume.grid.shape
    assert np.isfinite(volume.data).all()
    assert np.isfinite(resample(np.clip(volume.data, -1e30, 1e30), volume.grid, GRID)).all()
    prepare(volume, GRID, scaling="robust")
    return volume


def same(volume: Volume) -> bool:
    """Tell whether a volume is the unspoilt one: its voxels, and its corners to a millimetre."""
    truth = np.frombuffer(image(), "<f4", offset=352).reshape(SHAPE, order="F")
    if volume.grid.shape != SHAPE or not np.array_equal(volume.data, truth):
        return False
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in SHAPE], [1], indexing="ij")).reshape(4, -1)
    return bool(np.linalg.norm(((volume.grid.affine - AFFINE) @ corners)[:3], axis=0).max() <= 1.0)


def field(byte: int) -> str:
    """Return the field of a NIfTI-1 header in which a byte lies."""
    kinds = nib.nifti1.header_dtype.fields
    return next((n for n, (kind, start) in kinds.items() if start <= byte < start + kind.itemsize), "extension")


def flips(folder: Path) -> dict[str, Any]:
    """Flip each bit of a header once; count what became of it."""
    whole, counts, silent = image(), collections.Counter[str](), collections.Counter[str]()
    for bit in range(352 * 8):
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        (folder / "a.nii").write_bytes(raw)
        try:
            volume = read_volume(folder / "a.nii")
        except PellucidError:
            counts["refused"] += 1
            continue
        what = "remarked on" if volume.remarks else "same" if same(volume) else "silent"
        counts[what] += 1
        if what == "silent":
            silent[field(bit // 8)] += 1
    return {"counts": counts, "silent": silent}


def by_chance(folder: Path, number: int, seed: int) -> dict[str, Any]:
    """Make so many files and use each; count what became of them."""
    kinds = [
        (nib.Nifti1Image, image()),
        (nib.Nifti1Image, image(dtype=np.int16, endianness=">")),
        (nib.Nifti2Image, image(nib.Nifti2Image, np.uint8)),
    ]
    counts, wrong = collections.Counter[str](), []
    for n in range(number):
        rng = np.random.default_rng([seed, n])
        kind, whole = kinds[n % len(kinds)]
        path = folder / ("a.nii" if n % 2 else "a.nii.gz")
        path.write_bytes(mutate(whole, kind, rng))
        signal.alarm(SECONDS)
        try:
            use(path)
            counts["used"] += 1
        except PellucidError as error:
            counts["refused"] += 1
            text = str(error)
            if not text.isprintable() or len(text) > 1000:
                wrong.append(f"{n}: {text!r}")
        except (Exception, TooLongError):
            wrong.append(f"{n}: {traceback.format_exc()}")
        finally:
            signal.alarm(0)
    return {"counts": counts, "wrong": wrong}


def _too_long(*_: object) -> None:
    raise TooLongError


if __name__ == "__main__":
    where, how, *rest = sys.argv[1:]
    signal.signal(signal.SIGALRM, _too_long)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    found = flips(Path(where)) if how == "flips" else by_chance(Path(where), int(rest[0]), int(rest[1]))
    print(json.dumps(found))
