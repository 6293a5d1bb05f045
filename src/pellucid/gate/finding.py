"""What the gate finds: what is seen in an image, whether it may be used, and what cures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pellucid.ground.errors import InputError

PREPROCESS = (
    "Run `pellucid preprocess BIDS derivatives/pellucid participant` on the raw dataset, "
    "and give the scans named desc-brain that it writes"
)
RECONVERT = (
    "Convert the scan again from DICOM (dcm2niix), because its header and its voxels disagree; then run `pellucid "
    "preprocess BIDS derivatives/pellucid participant`"
)
EXPORT = "Export the scan itself again, with its original intensities"
ANYWAY = "--force takes it as it is, and says so beside every result"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is seen in an image: its `kind` in one word, and in words what is `seen`.

    `refused` says that the image must not be used; `cure` is what the user can do about it, without a full stop.
    """

    kind: str
    seen: str
    refused: bool = False
    cure: str = ""


def refusals(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that an image is refused for."""
    return [finding for finding in findings if finding.refused]


def words(findings: Sequence[Finding], *, forced: bool = False) -> str | None:
    """Say in one line what was found; None if nothing was. A scan that was taken all the same says so first.

    >>> words([Finding("pose", "its brain is upside down", refused=True)], forced=True)
    'FORCED: its brain is upside down'
    """
    found = [finding.seen for finding in sorted(findings, key=lambda finding: not finding.refused)]
    return (FORCED if forced else "") + "; ".join(found) if found else None


def refusal(where: str, findings: Sequence[Finding], *, anyway: str = ANYWAY) -> InputError:
    """Return the error that refuses an image: all that it is refused for, with the cure of the first.

    `anyway` says how to take the image all the same; empty where there is no way.
    """
    refused = refusals(findings)
    cure = refused[0].cure
    return InputError(where, "; ".join(finding.seen for finding in refused), f"{cure}. {anyway}" if anyway else cure)


def describe(findings: Sequence[Finding], *, forced: bool) -> dict[str, Any]:
    """Say what the gate found as JSON types, for a sidecar."""
    said = describe_remark(words(findings, forced=forced))
    return {"Gate": said["Gate"] | {"Findings": [asdict(finding) for finding in findings]}}


def describe_remark(remark: Any) -> dict[str, Any]:
    """Say in a sidecar what a table remarks on a scan; missing is nothing."""
    text = remark if isinstance(remark, str) else None
    verdict = "pass" if text is None else "forced" if text.startswith(FORCED) else "remarks"
    return {"Gate": {"Verdict": verdict, "Remark": text, "Unchecked": UNCHECKED}}


FORCED = "FORCED: "
"""How the remarks on a scan begin that is refused and was taken all the same."""

UNCHECKED = "Left and right: a mirrored brain cannot be told from a brain."
