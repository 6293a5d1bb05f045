"""Whether a file may be used as a scan: it is read, quality control and the gate are asked, and it is prepared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pellucid.gate.finding import ANYWAY, Finding, describe, refusal, refusals, words
from pellucid.gate.look import look
from pellucid.gate.tissue import OTHER
from pellucid.ground.arrays import BoolArray
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_volume
from pellucid.image.prepare import Prepared, Resampling, find_brain, prepare
from pellucid.preprocess.verdicts import said_of

_OFF_GRID = 0.01  # a larger share of the brain outside the grid is worth a word
LOOK = "Look at its page; to use it all the same, write `use` into the column override of quality.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A scan that may be used, and everything that was found of it.

    Parameters
    ----------
    volume, brain
        The scan and its brain, both on its own grid.
    findings
        What quality control, the file's header and name, and the gate say of it.
    forced
        Whether it is used although it is refused.
    """

    volume: Volume
    brain: BoolArray
    findings: tuple[Finding, ...]
    forced: bool

    @property
    def remark(self) -> str | None:
        """The findings in one line, for tables; None if there are none."""
        return words(self.findings, forced=self.forced)

    @property
    def sidecar(self) -> dict[str, object]:
        """The findings as JSON types, for sidecars."""
        return describe(self.findings, forced=self.forced)

    def prepare(self, grid: Grid, *, scaling: str, resampling: Resampling) -> tuple[Prepared, Admitted]:
        """Prepare the scan for a network; return it, and this with a remark if some of the brain is off the grid."""
        prepared = prepare(self.volume, grid, scaling=scaling, resampling=resampling, brain=self.brain)
        if prepared.off_grid <= _OFF_GRID:
            return prepared, self
        off = Finding("coverage", f"{100 * prepared.off_grid:.0f} % of its brain lies outside the model's grid")
        found = (*self.findings, off)
        return prepared, Admitted(volume=self.volume, brain=self.brain, findings=found, forced=self.forced)


def admit(path: Path, *, modality: str, force: bool = False, anyway: str = ANYWAY) -> Admitted:
    """Read a scan of a modality and look whether it may be used; with `force` it is used whatever it looks like.

    Asked are the dataset's own quality control, where the scan lies in one; what was odd about its file; its name; and
    the gate (`pellucid.gate`). `anyway` says in the error how a refused scan is taken all the same.

    Raises
    ------
    InputError
        The file cannot be read, or the scan is refused and `force` is not given.
    """
    volume = read_volume(path)
    findings = [Finding("file", remark) for remark in volume.remarks]
    if verdict := said_of(path):
        findings.append(Finding("quality", verdict.text, verdict.refused, LOOK))
    other = OTHER.get(modality, "")
    if other and f"_{other.lower()}." in path.name.lower():
        findings.append(Finding("name", f"it is named {other}, the model was trained on {modality}"))
    brain = find_brain(volume.data, where=str(path))
    findings += look(volume.data, brain, volume.grid, modality=modality, where=str(path)).findings
    refused = bool(refusals(findings))
    if refused and not force:
        raise refusal(str(path), findings, anyway=anyway)
    return Admitted(volume=volume, brain=brain, findings=tuple(findings), forced=refused)
