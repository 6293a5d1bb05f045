"""Settings of one baseline: frozen, typed, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

from pellucid.ground.checked import checked
from pellucid.ground.errors import InputError
from pellucid.ground.limits import Seed, Several, Whole

Kind = Literal["bright-voxels", "svm-lesion-load", "svm-image", "logistic-confounds"]
Protocol = Literal["revised", "paper"]
Missing = Literal["impute", "exclude"]
Confound = Literal["age", "sex", "brain_volume_ml", "brightness"]

CONFOUNDS: tuple[Confound, ...] = get_args(Confound)
DECADES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""C and gamma that are tried."""  # deviates: the paper says 0.001, 0.1, 1, 10; its code tried all five for C.


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSettings:
    """How one baseline is fitted; what `protocol="paper"` does not use is refused there.

    Parameters
    ----------
    kind
        `bright-voxels`: how many voxels of the brain lie above an intensity (`baselines.bright`), one number
        that needs no mask; every study on FLAIR has it. `svm-lesion-load`: support vector machine on the lesion volume.
        `svm-image`: on all voxels. `logistic-confounds`: logistic regression on what a diagnosis should not rest on.
    protocol
        `paper` repeats what the paper's code did, faults included (`pellucid.training.baselines.paper_svm`).
    components
        Of `svm-image`: numbers of principal components to choose from by cross-validation; 0 stands for all voxels.
        Those beyond the smallest training part less one are cut down to it.
    confounds
        Of `logistic-confounds`: age (years), sex (F = 0, M = 1), brain_volume_ml (brain voxels on the store's grid),
        brightness (mean over the brain after the store's scaling).
    missing
        Of `logistic-confounds`: `impute` a missing value by the mean of the training scans, or `exclude` the scan.
    folds
        Parts of the inner cross-validation.
    seed
        Of the folds (revised), or of row order and random masks (paper).

    Raises
    ------
    InputError
        A value out of range, or one that the protocol or kind does not use.
    """

    kind: Kind
    protocol: Protocol = "revised"
    components: Annotated[tuple[Annotated[int, Whole(0, 1_000_000)], ...], Several()] = (0,)
    confounds: Annotated[tuple[Confound, ...], Several()] = CONFOUNDS
    missing: Missing = "impute"
    folds: Annotated[int, Whole(2, 1000)] = 5
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.kind != "svm-image" and self.components != (0,):
            raise InputError("components", f"{self.kind} has no principal components", "Remove it")
        if self.kind == "bright-voxels" and self.folds != 5:
            raise InputError("folds", "bright-voxels has no inner cross-validation", "Remove it")
        if self.protocol == "paper":
            self._check_paper()

    def _check_paper(self) -> None:
        """Refuse what the paper's code had not."""
        if self.kind in ("logistic-confounds", "bright-voxels"):
            raise InputError("protocol", f"the paper had no {self.kind}", 'Give "revised"')
        for name, used in (("components", (0,)), ("folds", 5)):
            if getattr(self, name) != used:
                raise InputError(name, f"the paper's code used {used}", 'Leave it out, or give the protocol "revised"')

    def to_json(self) -> dict[str, Any]:
        """Describe the settings as JSON types."""
        content = asdict(self)
        return content | {name: list(content[name]) for name in ("components", "confounds")}
