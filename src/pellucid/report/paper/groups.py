"""Figure 3: the mean map of each group over the mean scan."""

from __future__ import annotations

from pellucid.analysis.averages import mean_map
from pellucid.report.paper.material import Drawing, Material
from pellucid.report.paper.tiles import (
    PAPER_FRAME,
    draw_paper_tiles,
    paper_bar,
    paper_centre,
    paper_paint,
    spanned,
    spanned_words,
    tile_data,
)
from pellucid.report.pictures.brain import Scene
from pellucid.report.pictures.tiles import Block

LIMIT = 0.02
"""Where the paper's colours end for averages."""


def figure3(material: Material) -> Drawing:
    """Draw patients above, controls below, three planes each (Eitel 2019, Figure 3)."""
    found = material.relevance(material.main)
    store, centre = found.store, paper_centre()
    means = {group: found.mean(group, correct=True) for group in material.groups}
    some, beneath = material.rows_trained_on(store)
    grey = spanned(mean_map(store.images[row] for row in some), store.scaling)
    titles = {group: f"{group}: mean of {number_of} participants" for group, (_, number_of) in means.items()}
    data = tile_data(
        store.grid,
        [
            ({"title": titles[group], "group": group, "participants": number_of, "limit": LIMIT}, centre)
            for group, (_, number_of) in means.items()
        ],
    )
    note = _note(store.modality, beneath + spanned_words(store.scaling)) + found.one_scale + found.alarms
    blocks = [
        Block(titles[group], Scene.of(store.grid, grey, values), [centre], paper_paint(LIMIT))
        for group, (values, _) in means.items()
    ]
    folder = material.run.relative(found.maps.folder)
    return Drawing(draw_paper_tiles(blocks, PAPER_FRAME, note=note, bar=paper_bar(LIMIT)), data, note, (folder,))


def _note(modality: str, beneath: str) -> str:
    return (
        "As in the paper: mean relevance of correctly classified held-out scans only (true positives above, true "
        f"negatives below), over the mean {modality} of {beneath}; colours end at ± {LIMIT} for all maps, opacity is "
        "a parabola, and what the network cannot see is not marked. Unlike the paper: left is left, and edges have "
        "letters. For research only."
    )
