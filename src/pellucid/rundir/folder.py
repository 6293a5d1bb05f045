"""Where everything of a run lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pellucid.attribution.naming import method_label
from pellucid.maps.model_folder import SELECTED

SPEC, RECORD = "study.toml", "record.json"
"""What was asked, and what ran."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run directory (docs/run-directory.md)."""

    root: Path

    @property
    def spec(self) -> Path:
        """The specification with every default filled in."""
        return self.root / SPEC

    @property
    def record(self) -> Path:
        """What ran."""
        return self.root / RECORD

    @property
    def splits(self) -> Path:
        """Who trained, validated and was held out."""
        return self.root / "splits.tsv"

    @property
    def verdict(self) -> Path:
        """What the leakage guard said of the splits."""
        return self.splits.with_suffix(".json")

    def cohort(self, name: str) -> Path:
        """Return the BIDS dataset of a simulated cohort."""
        return self.root / "cohorts" / name

    def store(self, name: str) -> Path:
        """Return a store: a cohort's own has its name, others those of `stores.Prepared`."""
        return self.root / "stores" / name

    def finished_stores(self) -> list[Path]:
        """Return the folders of the stores that are there whole."""
        return [path.parent for path in sorted((self.root / "stores").glob("*/store.json"))]

    @property
    def models(self) -> Path:
        """The folder of the models of every arm."""
        return self.root / "models"

    def arm(self, name: str) -> Path:
        """Return the folder of an arm's models."""
        return self.models / name

    def selection(self, arm: str) -> Path:
        """Return where it stands which of an arm's models were taken further."""
        return self.arm(arm) / SELECTED

    def trial(self, arm: str, number: int) -> Path:
        """Return the folder of one model."""
        return self.arm(arm) / f"trial-{number:02d}"

    def finished_trials(self) -> list[Path]:
        """Return the folders of the models of all arms that are there whole."""
        return [path.parent for path in sorted(self.models.glob("*/trial-*/model.json"))]

    def baseline(self, name: str, number: int) -> Path:
        """Return the folder of one fit of a baseline."""
        return self.root / "baselines" / name / f"trial-{number:02d}"

    def finished_fits(self, baseline: str) -> list[Path]:
        """Return the folders of the fits of a baseline that are there whole."""
        return [path.parent for path in sorted((self.root / "baselines" / baseline).glob("trial-*/model.json"))]

    @property
    def all_maps(self) -> Path:
        """The folder of the maps of every arm."""
        return self.root / "maps"

    def maps(self, arm: str, method: str) -> Path:
        """Return the folder of an arm's maps by a method, which is named as in `[explain] methods`."""
        return self.all_maps / arm / method_label(method)

    @property
    def all_deletions(self) -> Path:
        """The folder of what deletion did to the logits of every arm."""
        return self.root / "deletion"

    def deletions(self, arm: str, method: str) -> Path:
        """Return the folder of the deletions by an arm's maps by a method."""
        return self.all_deletions / arm / method_label(method)

    @property
    def tables(self) -> Path:
        """The folder of all tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """The folder of the report's pictures."""
        return self.root / "figures"

    def table(self, name: str) -> Path:
        """Return the path of a table."""
        return self.tables / f"{name}.tsv"


def files_in(folder: Path) -> list[Path]:
    """Return every file of a folder and those in it, but for hidden ones, which are on their way to another name."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
