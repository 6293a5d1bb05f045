"""Which tissue was found where, and what a network reads."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pellucid.ground.arrays import Float32Array
from pellucid.report.html.blocks import Note, Section
from pellucid.report.pictures.brain import shade, window
from pellucid.report.pictures.mosaic import Canvas, Sheet, draw, tiles
from pellucid.report.pictures.style import SERIES, STYLES, styled
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.source import TISSUES, Source
from pellucid.report.quality.views import grey_of, key, mni_rows, mni_sheet

_COLOURS = {"csf": "#5b3fd6", "grey": "#1fa398", "white": "#fde725"}
_NAMES = {"csf": "fluid", "grey": "grey matter", "white": "white matter"}
_OPACITY = 0.5
_READ = {
    "t1w_network": "T1w",
    "flair_network": "FLAIR",
    "filled_network": "FLAIR with filled lesions",
}
_BINS = 120
_PILED = 0.05  # of the values in the lowest bin: scaling cut them off


def tissue(source: Source, gallery: Gallery) -> Section:
    """Show the tissue maps in colour over the scan they were found on."""
    section = Section("tissue", "Tissue")
    role = "t1w_mni" if source.has_input("t1w") else "flair_mni"
    scan = source.volume(role)
    maps = {name: source.volume(name) for name in TISSUES}
    for name in [name for name, found in {role: scan, **maps}.items() if found is None][:1]:
        section.add(Note(tone="missing", text=source.absent(name)))
        return section
    assert scan is not None
    sheet = mni_sheet()
    shares = {name: sheet.of_volume(found.data, found.grid) for name, found in maps.items() if found}
    word = "T1w" if role == "t1w_mni" else "FLAIR"
    section.add(
        gallery.picture(
            f"tissue_{word}",
            draw(sheet, tinted(grey_of(sheet, scan), shares)),
            alt=f"Slices of the {word} in MNI space, coloured by tissue.",
            caption=Markup(
                "The {} in MNI space, coloured by the probability of {}. Mixed colours are mixed tissue."
            ).format(word, Markup(", ").join(key(_COLOURS[name], _NAMES[name]) for name in TISSUES)),
            sources=source.files(role, *TISSUES),
        )
    )
    return section


def network(source: Source, gallery: Gallery) -> Section:
    """Show what a network reads, voxel by voxel, and how its values are distributed."""
    section = Section("network", "What a network reads")
    images = {name: source.volume(name) for name in _READ}
    for name, image in images.items():
        if image is None:
            section.add(Note(tone="missing", text=source.absent(name)))
    found = {name: image for name, image in images.items() if image is not None}
    if not found:
        return section
    sheet = Sheet.of(mni_rows(*(_READ[name] for name in found)))
    rows = [tiles(row, image.data, image.grid, order=0) for row, image in zip(sheet.rows, found.values(), strict=True)]
    windows = [window(image.data[image.data != 0]) for image in found.values()]
    if "filled_network" in found and "flair_network" in found:
        windows[-1] = windows[-2]  # to be compared
    grey = sheet.assemble([[shade(cut, w) for cut in cuts] for cuts, w in zip(rows, windows, strict=True)])
    settings = source.record.get("settings", {})
    grid = str(next(iter(found.values())).grid)
    section.add(
        gallery.picture(
            "network",
            draw(sheet, grey, sharp=True),
            alt="Axial slices of each input image of the network, without smoothing between voxels.",
            caption=f"Each voxel of the input: {grid}; scaling {settings.get('scaling', 'unknown')}, resampling "
            f"{settings.get('resampling', 'unknown')}.",
            sources=source.files(*found),
        ),
        gallery.chart(
            "histogram",
            _histogram({_READ[name]: image.data for name, image in found.items()}),
            alt="Histogram of the values in the brain of each input image of the network.",
            caption="Values in the brain (voxels that are not 0) of the network's input.",
            sources=source.files(*found),
        ),
    )
    return section


def tinted(grey: Canvas, shares: dict[str, Canvas]) -> Canvas:
    """Return grey levels (rows, columns) tinted by each tissue's colour, as strongly as the tissue is probable: RGB."""
    total = sum(shares.values(), np.zeros_like(grey))
    colour = sum(
        (share[..., None] * np.array(to_rgb(_COLOURS[name])) for name, share in shares.items()),
        np.zeros((*grey.shape, 3)),
    )
    out = grey[..., None] * (1.0 - _OPACITY * total[..., None]) + _OPACITY * colour
    return np.clip(out, 0.0, 1.0)


@styled
def _histogram(images: dict[str, Float32Array]) -> Figure:
    figure = Figure(figsize=(8.8, 2.8), layout="constrained")
    axes, top = figure.subplots(), 0.0
    for (name, image), colour, style in zip(images.items(), SERIES, STYLES, strict=False):
        values = image[image != 0]
        low, high = float(values.min()), float(np.percentile(values, 99.95))
        counts, edges = np.histogram(values, _BINS, (low, max(high, low + 1e-6)))
        share = counts[0] / values.size
        label = f"{name}, {100 * share:.0f} % at the lowest value" if share > _PILED else name
        heights = counts / values.size / (edges[1] - edges[0])
        top = max(top, float(heights[1:].max()))
        axes.plot((edges[1:] + edges[:-1]) / 2, heights, color=colour, linestyle=style, label=label)
    axes.set_xlabel("value")
    axes.set_ylabel("density")
    axes.set_ylim(0.0, 1.15 * top or None)  # what is piled up at the lowest value would hide the rest
    axes.legend()
    return figure
