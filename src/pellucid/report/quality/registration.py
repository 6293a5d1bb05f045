"""Whether the scans lie where the template lies, and on each other, and whether the brain was found."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from pellucid.ground.arrays import UInt8Array
from pellucid.image.nifti import Volume
from pellucid.report.html.blocks import Block, Note, Section, Text
from pellucid.report.pictures.brain import shade, window
from pellucid.report.pictures.mosaic import Outline, draw
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.source import Source
from pellucid.report.quality.views import (
    BRAIN,
    FLUID,
    WHITE,
    grey_of,
    key,
    mni_sheet,
    native_sheet,
    template,
    thumbnail_sheet,
)

_SCANS = {"t1w": "T1w", "flair": "FLAIR"}
_ALTERNATE = (
    "The two images alternate; point at the picture to stop, or select one. If your system asks for less motion, "
    "they are shown mixed."
)
_THREE = "Axial, coronal and sagittal slices in the neurological convention: the participant's left (L) is on the left."


def registration(source: Source, gallery: Gallery) -> Section:
    """Show the scans in MNI space under the template's outlines."""
    section = Section("registration", "Registration to the template")
    section.add(
        Text(
            paragraphs=[
                "Registration is good if the outlines follow the brain's edges and only the sulci change when the "
                "images alternate. No measure can distinguish a brain from its mirror image: if a file's header is "
                "wrong about left and right, so are all results."
            ]
        )
    )
    for role, word in _SCANS.items():
        scan = source.volume(f"{role}_mni")
        section.add(_on_template(source, gallery, role, word, scan) if scan else _absent(source, f"{role}_mni"))
    return section


def alignment(source: Source, gallery: Gallery) -> Section:
    """Show the borders of the T1w's tissue over the FLAIR."""
    section = Section("alignment", "FLAIR on T1w")
    flair, t1w = source.volume("flair_mni"), source.volume("t1w_mni")
    if flair is None or t1w is None:
        section.add(_absent(source, "flair_mni" if flair is None else "t1w_mni"))
        return section
    sheet = mni_sheet()
    fluid = source.volume("csf")
    outlines, border = [], Markup("")
    if fluid:
        outlines.append(Outline(sheet.of_volume(fluid.data, fluid.grid), FLUID))
        border = Markup(" {}, as found on the T1w: it should follow the edges of both.").format(
            key(FLUID, "Border between tissue and fluid")
        )
    else:
        section.add(_absent(source, "csf"))
    images = (draw(sheet, grey_of(sheet, flair), outlines), draw(sheet, grey_of(sheet, t1w), outlines))
    section.add(
        gallery.flicker(
            ("alignment_FLAIR", "alignment_T1w"),
            images,
            names=("FLAIR", "T1w"),
            alts=(
                "Slices of the FLAIR with the border of fluid that was found on the T1w.",
                "The same slices of the T1w with the same border.",
            ),
            caption=Markup("FLAIR and T1w of this visit in MNI space.{} {} {}").format(border, _ALTERNATE, _THREE),
            sources=source.files("flair_mni", "t1w_mni", "csf"),
        )
    )
    return section


def brains(source: Source, gallery: Gallery) -> Section:
    """Show the brain masks over the native scans."""
    section = Section("brain", "Brain extraction")
    for role, word in _SCANS.items():
        scan, brain = source.volume(role), source.volume(f"{role}_brain")
        if scan is None or brain is None:
            section.add(_absent(source, role if scan is None else f"{role}_brain"))
            continue
        if not brain.data.any():
            section.add(Note(tone="missing", text=f"The brain mask on the {word} has no voxel."))
            continue
        sheet = native_sheet(brain)
        mask = sheet.of_volume(brain.data, brain.grid)
        cut = sheet.of_volume(scan.data, scan.grid)
        image = draw(sheet, shade(cut, window(cut[mask > 0.5])), [Outline(mask, BRAIN, width=1.2)])
        found = (
            ""
            if role == "t1w" or not source.file("t1w_brain")
            else " It is the brain mask of the T1w, moved to this scan."
        )
        section.add(
            gallery.picture(
                f"brain_{word}",
                image,
                alt=f"Slices of the native {word} with the outline of its brain mask.",
                caption=Markup(
                    "The {} in scanner space ({}), bias-corrected, in slices along the scanner's axes; {}.{} {}"
                ).format(word, str(scan.grid), key(BRAIN, "outline of the brain mask"), found, _THREE),
                sources=source.files(role, f"{role}_brain"),
            )
        )
    return section


def thumbnail(source: Source, gallery: Gallery) -> None:
    """Write a small axial slice under the template's outlines, for the page of all visits."""
    scan = source.volume("flair_mni") or source.volume("t1w_mni")
    if scan is not None:
        sheet = thumbnail_sheet()
        gallery.add("thumbnail", draw(sheet, grey_of(sheet, scan), template("thumbnail").outlines))


def _on_template(source: Source, gallery: Gallery, role: str, word: str, scan: Volume) -> Block:
    sheet = mni_sheet()
    images = (draw(sheet, grey_of(sheet, scan), template().outlines), _template_picture())
    return gallery.flicker(
        (f"registration_{word}", "registration_template"),
        images,
        names=(word, "Template"),
        alts=(
            f"Slices of the {word} in MNI space with the template's outlines.",
            "The same slices of the template with the same outlines.",
        ),
        caption=Markup(
            "The {} in MNI space and the template MNI152NLin6Asym. Lines are the template's: {}, {}. {} {}"
        ).format(word, key(BRAIN, "surface of the brain"), key(WHITE, "white matter"), _ALTERNATE, _THREE),
        sources=source.files(f"{role}_mni"),
    )


@cache
def _template_picture() -> UInt8Array:
    return draw(mni_sheet(), template().grey, template().outlines)


def _absent(source: Source, name: str) -> Note:
    return Note(tone="missing", text=source.absent(name))
