"""One scan as a model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pellucid.image.grid import Grid
from pellucid.image.prepare import Prepared
from pellucid.network.architectures import Network
from pellucid.preprocess.admission import Admitted, admit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan as the model sees it, the grid it came on, and what was found of it when it was admitted."""

    path: Path
    prepared: Prepared
    native: Grid
    admitted: Admitted

    @property
    def remark(self) -> str | None:
        """What is odd about the scan, in one line."""
        return self.admitted.remark


def open_scan(path: Path, model: Network, *, force: bool = False) -> Scan:
    """Read a scan, look whether it may be used, and prepare it as the model's description says.

    Raises
    ------
    InputError
        It cannot be read; or it is refused (`pellucid.preprocess.admission`) and `force` is not given.
    """
    admitted = admit(path, modality=model.info.modality, force=force)
    prepared, admitted = admitted.prepare(model.grid, scaling=model.info.scaling, resampling=model.info.resampling)
    return Scan(path=path, prepared=prepared, native=admitted.volume.grid, admitted=admitted)
