"""How the verbs print predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.ground.numbers import fixed

if TYPE_CHECKING:
    from pellucid.maps.predicting import Predictions


def show_predictions(done: Predictions) -> None:
    """Print the predictions that there are; those of scans that were refused once more, in red."""
    from pellucid.gate.finding import FORCED

    good = [entry for entry in done.rows if entry["logit"] is not None]
    if not good:
        return
    console.show_table(
        ("scan", "logit", f"probability of {done.classes[1]}, not calibrated", "class", "remark"),
        [
            (
                Path(entry["image"]).name,
                fixed(entry["logit"]),
                fixed(entry["probability_not_calibrated"]),
                entry["class"],
                entry["problems"] or "",
            )
            for entry in good
        ],
    )
    forced = [entry for entry in good if str(entry["problems"]).startswith(FORCED)]
    console.mark({Path(entry["image"]): entry["problems"] for entry in forced})
    console.say("For research only, not for diagnosis. The probability is 1 / (1 + exp(-logit)) and is not calibrated.")
