"""Lesions before and after filling: where most of them lie, and the largest from near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, UInt8Array
from pellucid.report.html.blocks import Note, Section
from pellucid.report.pictures.brain import LESION, position, shade, window
from pellucid.report.pictures.mosaic import Canvas, Outline, Row, Sheet, draw, row, see
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.source import Source
from pellucid.report.quality.views import BOX, key

_SLICES, _APART_MM = 7, 6
_LARGEST = 7
_HALF = 24  # pixels from a lesion's centre to its picture's edge
_FAINT = "#8a7a3c"


@dataclass(frozen=True, slots=True)
class _Scene:
    """A scan, what it became, and its lesions, all on the grid of `every`, which has a plane for each slice."""

    every: Row
    scan: Canvas
    after: Canvas | None
    marked: BoolArray
    limits: tuple[float, float]
    word: str


def lesions(source: Source, gallery: Gallery) -> Section:
    """Show lesions before and after filling."""
    section = Section("lesions", "Lesions and their filling")
    mask = source.volume("lesions_mni")
    before = source.volume("flair_mni") or source.volume("t1w_mni")
    word = "FLAIR" if source.volume("flair_mni") else "T1w"
    if mask is None or before is None:
        section.add(Note(tone="missing", text=source.absent("lesions_mni" if mask is None else "flair_mni")))
        return section
    if not mask.data.any():
        section.add(
            Note(tone="remark", text="The lesion mask has no voxel: nothing was marked, and nothing was filled.")
        )
        return section
    every = row("axial", BOX, (BOX[0][2], BOX[1][2]), BOX[1][2] - BOX[0][2] + 1)
    marked = see(mask.data, mask.grid, every.grid, order=0) > 0.5
    if not marked.any():
        section.add(Note(tone="warning", text="The lesions in MNI space are outside the slices that are shown here."))
        return section
    scan = see(before.data, before.grid, every.grid)
    filled = source.volume("filled_mni")
    after = None if filled is None else see(filled.data, filled.grid, every.grid)
    if after is None:
        section.add(Note(tone="missing", text=source.absent("filled_mni")))
    sources = source.files("lesions_mni", "flair_mni" if word == "FLAIR" else "t1w_mni", "filled_mni")
    scene = _Scene(every, scan, after, marked, window(scan[scan > 0][::7]), word)
    outline = key(LESION, "outline of the lesion mask")
    section.add(
        gallery.picture(
            f"lesions_{word}",
            _slices(scene),
            alt=f"Axial slices of the {word} with outlined lesions, and the same slices after filling.",
            caption=Markup("The slices with most lesion, at least {} mm apart; {}{}.").format(
                _APART_MM, outline, "" if after is None else ", faint after filling; grey levels as before"
            ),
            sources=sources,
        ),
        gallery.picture(
            f"lesionzoom_{word}",
            _zoom(scene),
            alt="The largest lesions, enlarged: as scanned, outlined, and after filling.",
            caption=Markup(
                "The largest lesions, each in the slice where it is largest, in pictures of {} mm; {}. After good "
                "filling, no edge and no different texture is visible."
            ).format(2 * _HALF, outline),
            sources=sources,
        ),
    )
    return section


def busiest(marked: BoolArray, count: int, apart: int) -> list[int]:
    """Return the indices along z, rising, of up to `count` slices with most of a mask, none nearer than `apart`."""
    areas = marked.sum(axis=(0, 1))
    chosen: list[int] = []
    for k in np.argsort(-areas, kind="stable"):
        if areas[k] and len(chosen) < count and all(abs(int(k) - other) >= apart for other in chosen):
            chosen.append(int(k))
    return sorted(chosen)


def largest(marked: BoolArray, count: int) -> list[tuple[int, int, int, int]]:
    """Return size and place of the `count` largest lesions (26 neighbours), largest first: (voxels, i, j, k).

    The place is the innermost of the axial slice that holds most of it.
    """
    labels, _ = ndimage.label(marked, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    found = []
    boxes = ndimage.find_objects(labels)
    for label in np.argsort(-sizes, kind="stable")[:count]:
        if sizes[label]:
            box = boxes[label - 1]
            own = labels[box] == label
            k = int(own.sum(axis=(0, 1)).argmax())
            depth = ndimage.distance_transform_edt(np.pad(own[:, :, k], 1))[1:-1, 1:-1]
            i, j = (int(c) for c in np.unravel_index(depth.argmax(), depth.shape))
            found.append((int(sizes[label]), i + box[0].start, j + box[1].start, k + box[2].start))
    return found


def _slices(scene: _Scene) -> UInt8Array:
    """Draw the slices with most lesion, outlined; below them the same after filling, faintly outlined."""
    planes = tuple(scene.every.planes[k] for k in busiest(scene.marked, _SLICES, _APART_MM))
    rows = [Row(scene.every.grid, planes, f"{scene.word}, lesions outlined")]
    images = [scene.scan]
    if scene.after is not None:
        rows.append(Row(scene.every.grid, planes, "After filling"))
        images.append(scene.after)
    width = scene.every.grid.shape[0]
    sheet = Sheet(rows, Sheet.of(rows).shapes, room=_SLICES * width)
    grey = sheet.assemble([[shade(plane.cut(image), scene.limits) for plane in planes] for image in images])
    masks = [[plane.cut(scene.marked) for plane in planes] for _ in images]
    outlines = []
    for r, (colour, line) in enumerate(((LESION, 0.8), (_FAINT, 0.6))[: len(images)]):
        shown = [cuts if at == r else [np.zeros_like(cut) for cut in cuts] for at, cuts in enumerate(masks)]
        outlines.append(Outline(sheet.assemble(shown), colour, width=line))
    return draw(sheet, grey, outlines)


def _zoom(scene: _Scene) -> UInt8Array:
    """Draw the largest lesions from near: as scanned, outlined, filled."""
    grid = scene.every.grid
    found = largest(scene.marked, _LARGEST)
    planes = tuple(scene.every.planes[k] for _, _, _, k in found)
    rows = [Row(grid, planes, scene.word), Row(grid, planes, "Lesions outlined")]
    images = [scene.scan, scene.scan]
    if scene.after is not None:
        rows.append(Row(grid, planes, "After filling"))
        images.append(scene.after)
    volumes = [n * grid.voxel_volume_ml for n, *_ in found]
    first = [f"{position(p).removesuffix(' mm')}, {ml:.2f} ml" for p, ml in zip(planes, volumes, strict=True)]
    size = 2 * _HALF
    labels = [first, *[[""] * len(found)] * (len(rows) - 1)]
    sheet = Sheet(rows, [[(size, size)] * len(found)] * len(rows), labels, room=_LARGEST * size)
    grey = sheet.assemble([[shade(_near(image, at), scene.limits) for at in found] for image in images])
    own = [_near(scene.marked, at) for at in found]
    blank = [np.zeros_like(cut) for cut in own]
    outlined = sheet.assemble([own if r == 1 else blank for r in range(len(rows))])
    return draw(sheet, grey, [Outline(outlined, LESION, width=1.4)])


def _near(volume: Canvas, at: tuple[int, int, int, int]) -> Canvas:
    """Cut a square around a point out of an axial slice: (rows, columns); beyond the volume lies 0."""
    _, i, j, k = at
    padded = np.pad(volume[:, :, k], _HALF)
    cut: Canvas = padded[i : i + 2 * _HALF, j : j + 2 * _HALF].T
    return cut
