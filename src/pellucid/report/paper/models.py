"""Figure 5: what the mean map of the patients looks like before and after each way to learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pellucid.analysis.averages import mean_map
from pellucid.ground.numbers import number
from pellucid.report.paper.material import PARTS, Drawing, Material, MissingError
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

WORDS = {
    "untrained": "Untrained",
    "pretrained-only": "Pre-trained only",
    "scratch": "Trained from scratch",
    "finetuned": "Pre-trained and fine-tuned",
}


def figure5(material: Material) -> Drawing:
    """Draw a row of planes a model: the mean map of all held-out patients (Eitel 2019, Figure 5)."""
    arms, positive = material.parts, material.groups[0]
    means, absent = {}, []
    for part in PARTS:
        try:
            if part not in arms:
                raise MissingError("study.toml has no such arm")
            means[part] = material.relevance(arms[part]).mean(positive, correct=False)
        except MissingError as reason:
            absent.append(f"{WORDS[part].lower()} ({reason})")
    if len(means) < 2:
        raise MissingError(f"fewer than two of its models have maps; missing: {'; '.join(absent)}")
    limit = colour_limit({part: mean for part, (mean, _) in means.items()})
    opened = [material.relevance(arms[part]) for part in means]
    store, centre = opened[-1].store, paper_centre()
    some, beneath = material.rows_trained_on(store)
    grey = spanned(mean_map(store.images[row] for row in some), store.scaling)
    titles = {
        part: f"{WORDS[part]} (arm {arms[part]}): mean of {patients} patients" for part, (_, patients) in means.items()
    }
    data = tile_data(
        store.grid,
        [
            ({"title": titles[part], "part": part, "arm": arms[part], "patients": patients, "limit": limit}, centre)
            for part, (_, patients) in means.items()
        ],
    )
    said = "".join(one.one_scale for one in opened) + "".join(one.alarms for one in opened)
    note = _note(store.modality, beneath + spanned_words(store.scaling), limit, absent) + said
    blocks = [
        Block(titles[part], Scene.of(store.grid, grey, mean), [centre], paper_paint(limit))
        for part, (mean, _) in means.items()
    ]
    figure = draw_paper_tiles(blocks, PAPER_FRAME, note=note, bar=paper_bar(limit))
    return Drawing(figure, data, note, tuple(f"maps/{arms[part]}" for part in means))


def colour_limit(means: Mapping[str, npt.ArrayLike]) -> float:
    """Return where the colours of all rows end: at minus the smallest value of the untrained model's mean map.

    Raises
    ------
    MissingError
        There is no untrained model, or its map is nowhere negative.
    """
    if "untrained" not in means:
        raise MissingError("the paper's colours end at the minimum of the untrained model, which has no maps")
    lowest = float(np.min(means["untrained"]))
    if lowest >= 0:
        raise MissingError("the paper's colours end at the minimum of the untrained model, which has no value below 0")
    return -lowest


def _note(modality: str, beneath: str, limit: float, absent: list[str]) -> str:
    lacking = f" Not shown: {'; '.join(absent)}." if absent else ""
    # deviates: the paper's code kept trained biases in its untrained model, and put a random head onto its pre-trained.
    return (
        f"As in the paper: mean relevance of all held-out patients, over the mean {modality} of {beneath}; all "
        f"colours end at ± {number(limit)}, minus the smallest value of the untrained model's mean map, so other rows "
        "may be saturated or empty; opacity is a parabola. Unlike the paper: all weights of the untrained model are "
        "new, and the pre-trained model has its own last layer (the code kept trained biases in the first and used a "
        f"random last layer in the second), left is left, and edges have letters. For research only.{lacking}"
    )
