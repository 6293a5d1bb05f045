"""The figures of Eitel et al. 2019 from a run: as the paper drew them, and revised; or why one is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pellucid.ground.files import write_tsv
from pellucid.report.paper.filled import figure6
from pellucid.report.paper.groups import figure3
from pellucid.report.paper.lesion_maps import figure_s3
from pellucid.report.paper.lesion_regions import figure_s2
from pellucid.report.paper.material import VERSIONS, Drawing, Material, MissingError, Version
from pellucid.report.paper.models import figure5
from pellucid.report.paper.regions import figure4a, figure4b
from pellucid.report.paper.roc import figure_s1
from pellucid.report.paper.subjects import figure2
from pellucid.report.pictures.style import save
from pellucid.rundir.run import Run

FIGURES: tuple[tuple[str, str, Callable[[Material, Version], Drawing]], ...] = (
    ("figure2", "Eitel 2019, Figure 2: individual heatmaps of four patients", figure2),
    ("figure3", "Eitel 2019, Figure 3: average heatmaps of patients and controls", figure3),
    ("figure4a", "Eitel 2019, Figure 4a: relevance over grey-matter areas", figure4a),
    ("figure4b", "Eitel 2019, Figure 4b: relevance over white-matter areas", figure4b),
    ("figure5", "Eitel 2019, Figure 5: average heatmaps of four ways to learn", figure5),
    ("figure6", "Eitel 2019, Figure 6: relevance with and without lesions", figure6),
    ("figureS1", "Eitel 2019, Figure S1: ROC curves", figure_s1),
    ("figureS2", "Eitel 2019, Figure S2: lesions over white-matter areas", figure_s2),
    ("figureS3", "Eitel 2019, Figure S3: lesion maps of patients and controls", figure_s3),
)
"""Name, title and maker of each; the paper's Figure 1 is a drawing, not a result."""

SUFFIXES = (".svg", ".png", ".tsv")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure in one version: where it lies, or why it could not be drawn.

    Parameters
    ----------
    name, title, version
        Which it is.
    stem
        Its files in the folder given to `write_figures`, without suffix (`paper/figure4a`); None if it is missing.
    reason
        What is missing; empty if nothing is.
    caption
        What is drawn, and, in the paper's version, which quirks were kept.
    sources
        The files of the run that it was drawn from.
    """

    name: str
    title: str
    version: Version
    stem: str | None = None
    reason: str = ""
    caption: str = ""
    sources: tuple[str, ...] = ()


def write_figures(run: Run, folder: Path) -> list[Drawn]:
    """Draw every figure in both versions: `folder`/VERSION/NAME.svg, .png, and .tsv with the data drawn.

    A figure whose data the run lacks is left out, with the reason; files of an earlier call by its name are removed,
    for they would show another state of the run.

    Raises
    ------
    InputError
        If a file of the run is damaged.
    """
    material, found = Material(run), []
    for name, title, make in FIGURES:
        for version in VERSIONS:
            stem = f"{version}/{name}"
            try:
                drawing = make(material, version)
            except MissingError as reason:
                for suffix in SUFFIXES:
                    (folder / (stem + suffix)).unlink(missing_ok=True)
                found.append(Drawn(name=name, title=title, version=version, reason=str(reason)))
                continue
            save(drawing.figure, folder / stem)
            write_tsv(folder / f"{stem}.tsv", drawing.data)
            found.append(
                Drawn(
                    name=name,
                    title=title,
                    version=version,
                    stem=stem,
                    caption=drawing.caption,
                    sources=drawing.sources,
                )
            )
    return found
