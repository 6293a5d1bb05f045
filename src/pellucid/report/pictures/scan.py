"""The picture of one explained scan, beside its map."""

from __future__ import annotations

from pathlib import Path

from pellucid.maps.explaining import ExplainedScan
from pellucid.maps.names import picture_of
from pellucid.report.pictures.overlay import map_figure
from pellucid.report.pictures.style import write
from pellucid.trust.alarms import gross_words


def draw_scan(found: ExplainedScan) -> Path:
    """Draw what `pellucid.maps.explain_scan` returns: the map over the scan, with its alarms; return the PNG's path.

    It is drawn from arrays in memory, not from the files, so that nothing is read again.
    """
    explained, explainer = found.explained, found.explainer
    figure = map_figure(
        found.scan.prepared.image,
        explained.relevance,
        explainer.grid,
        explainer.view.mask(),
        lesions=None if found.lesions is None else found.lesions.mask,
        title=f"{found.name}: {explainer.method.text}, logit {explained.logit:+.2f} ({found.prediction.group})",
        note=f"{gross_words(explained.sums.gross_per_logit).capitalize()}.",
        alarms=[*found.remarks, *explained.sums.sentences()],
    )
    path = picture_of(found.files[0])
    write(figure, path)
    return path
