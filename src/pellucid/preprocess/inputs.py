"""Which scans a raw BIDS dataset holds: for each visit its T1w, its FLAIR, its lesion mask, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pellucid.bids import naming
from pellucid.bids.participants import ignored, odd_folders
from pellucid.bids.prepared import SPACE
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.ground.words import guess, some

ROLES: dict[str, dict[str, Any]] = {
    "t1w": {"suffix": "T1w"},
    "flair": {"suffix": "FLAIR"},
    "lesions": naming.LESIONS,
}
"""What an image of each role is called; a filter file adds entities to these."""

GIVEN: dict[str, dict[str, Any]] = {
    "t1w_brain": {"suffix": "mask", "desc": "brain", "space": [None, "T1w"]},
    "flair_brain": {"suffix": "mask", "desc": "brain", "space": "FLAIR"},
    "t1w_to_mni": {"suffix": "xfm", "from": "T1w", "to": SPACE},
    "flair_to_t1w": {"suffix": "xfm", "from": "FLAIR", "to": "T1w"},
    "flair_to_mni": {"suffix": "xfm", "from": "FLAIR", "to": SPACE},
    "csf": {"suffix": "probseg", "label": "CSF", "space": SPACE},
    "grey": {"suffix": "probseg", "label": "GM", "space": SPACE},
    "white": {"suffix": "probseg", "label": "WM", "space": SPACE},
}
"""Files that take a step's place where a folder of derivatives holds them."""

_TRANSFORMS = (".txt", ".tfm", ".mat", ".h5")


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of one participant: its images, files that take a step's place, and what stops it, if anything does.

    `remarks` name what lies there and is not used.
    """

    participant: str
    session: str | None
    t1w: Path | None = None
    flair: Path | None = None
    lesions: Path | None = None
    given: Mapping[str, Path] = field(default_factory=dict)
    problem: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The visit as file names begin: `sub-01` or `sub-01_ses-2`."""
        return f"{self.participant}_{self.session}" if self.session else self.participant

    @property
    def folder(self) -> Path:
        """The visit's folder within a dataset."""
        return Path(self.participant, self.session) if self.session else Path(self.participant)


def find_visits(
    root: Path,
    *,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    filters: Mapping[str, Mapping[str, Any]] | None = None,
    lesions: Path | None = None,
    derivatives: Sequence[Path] = (),
) -> list[Visit]:
    """List the visits of a BIDS dataset, one for each folder `sub-X[/ses-Y]/anat`, sorted.

    What cannot be used does not vanish: such a visit has a `problem`. What .bidsignore names is left out.

    Parameters
    ----------
    root
        The raw dataset. Its participants.tsv is not needed.
    participants, sessions
        Labels, with or without `sub-` and `ses-`; all if empty.
    filters
        As `read_filters` gives them: for each role the entities that choose among several images.
    lesions
        The dataset with lesion masks, `sub-X[/ses-Y]/anat/*_label-lesion_mask.nii[.gz]` on the grid of the FLAIR or of
        the T1w; `root/derivatives/lesions` where that exists if None.
    derivatives
        Datasets with files that take a step's place (`GIVEN`); where two hold the same, the first counts.

    Raises
    ------
    InputError
        No such folder, nobody in it, or a participant or session that was asked for and does not exist or is left out
        by .bidsignore.
    """
    root = Path(root)
    for folder in (root, *derivatives, *([lesions] if lesions else [])):
        if not folder.is_dir():
            raise InputError(folder, "the folder does not exist", "Check the path")
    left_out = ignored(root)
    everybody = [name for name in naming.participants(root) if name not in left_out]
    if not everybody:
        odd = [*odd_folders(root).values(), *left_out.values()]
        raise InputError(
            root, "holds no folder sub-<label>" + (f" ({odd[0]})" if odd else ""), "Give the root of a BIDS dataset"
        )
    wanted = naming.without_prefix(participants, "sub-") or everybody
    chosen = set(naming.without_prefix(sessions, "ses-"))
    masks = lesions or root / "derivatives" / "lesions"
    visits: list[Visit] = []
    for participant in dict.fromkeys(wanted):
        if participant in left_out:
            raise InputError(root / naming.IGNORE, f"excludes {participant}", "Remove that line to use it")
        if participant not in everybody:
            near = guess(participant, everybody)
            raise InputError(
                root, f"does not contain {participant}.{near}".rstrip("."), f"Its participants are {some(everybody)}"
            )
        found = naming.visits(root, participant)
        drawn = {session for session, _ in naming.visits(masks, participant)} - {session for session, _ in found}
        own = [_visit(root, participant, s, filters or {}, masks, derivatives) for s, _ in found]
        own += [_lonely_mask(masks, participant, session) for session in drawn]
        places = [anat for _, anat in found]
        spare = [
            f"not used: {path}: {why}" for path, why in _spare(root, masks, participant) if path.parent not in places
        ]
        if not own:
            why = f" ({'; '.join(spare)})" if spare else ""
            problem = f"{root / participant}: holds no folder 'anat'{why}. Add its scans, or remove the folder."
            own = [Visit(participant, None, problem=problem)]
        elif spare:
            own[0] = replace(own[0], remarks=(*own[0].remarks, *spare))
        visits += [visit for visit in own if not chosen or visit.session in chosen]
    for participant in naming.participants(masks) if not participants else ():
        if not (root / participant).exists():
            lonely = [_lonely_mask(masks, participant, session) for session, _ in naming.visits(masks, participant)]
            visits += [visit for visit in lonely if not chosen or visit.session in chosen]
    if not visits:
        raise InputError("--session-label", f"no visit is one of {', '.join(sorted(chosen))}", "Check the labels")
    return sorted(visits, key=lambda visit: visit.name)


def read_filters(path: Path) -> dict[str, dict[str, Any]]:
    """Read a filter file: JSON that maps t1w, flair and lesions to entities, as those of fMRIPrep do.

    `{"flair": {"acquisition": "3d", "run": null}}` chooses FLAIRs with `acq-3d` and without a run.

    Raises
    ------
    InputError
        It is no such file.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        raise InputError(path, "does not map roles to entities", 'Write for example {"flair": {"acquisition": "3d"}}')
    for role in content:
        if role not in ROLES:
            raise InputError(path, f"has a filter for {role!r}", f"Roles are {', '.join(ROLES)}")
        if unknown := naming.unknown_key(content[role]):
            what = f"{role}: {unknown!r} is not an entity of BIDS.{guess(unknown, naming.ENTITIES)}".rstrip(".")
            raise InputError(path, what, "Write it as in file names (acq, run) or in full (acquisition)")
    return content


def _visit(
    root: Path,
    participant: str,
    session: str | None,
    filters: Mapping[str, Mapping[str, Any]],
    masks: Path,
    derivatives: Sequence[Path],
) -> Visit:
    place = Path(participant, session or "", "anat")
    images: dict[str, Path] = {}
    problems = naming.strangers(root / place, participant, session, ("T1w", "FLAIR"))
    patterns, remarks = naming.read_ignore(root), list[str]()
    for role, named in ROLES.items():
        folder = (masks if role == "lesions" else root) / place
        every = naming.images(folder, named)
        found = naming.images(folder, named | dict(filters.get(role, {})))
        if folder.is_relative_to(root):
            found, out = naming.without_ignored(root, found, patterns)
            remarks += out
        if role == "lesions":
            scans = [images[one] for one in ("t1w", "flair") if one in images]
            beside = [path for one in ("t1w", "flair") for path in naming.images(root / place, ROLES[one])]
            found, words = naming.masks_of(found, scans, beside)
            words += [] if found else naming.lesion_masks(folder, raw=root / place)[1]
            remarks += [f"not taken as its lesion mask: {one}" for one in words]
        elif every and not found and role in filters:
            remarks.append(f"--bids-filter-file leaves no {_word(role)} of {', '.join(path.name for path in every)}")
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            said = f"{folder}: has {len(found)} {_word(role)}s ({names}). Keep one, or choose with --bids-filter-file."
            problems.append(said)
        elif found:
            images[role] = found[0]
    remarks += [
        f"not used: {path.name}: {why}" for path, why in _spare(root, masks, participant) if path.parent == root / place
    ]
    if not problems and not images.keys() & {"t1w", "flair"}:
        said = f" ({'; '.join(remarks[:3])})" if remarks else ""
        problems = [
            f"{root / place}: holds neither a T1w nor a FLAIR image{said}. Add one, or check --bids-filter-file."
        ]
    given = {name: path for name, path in ((name, _given(derivatives, place, name)) for name in GIVEN) if path}
    taken = (images.get("t1w"), images.get("flair"), images.get("lesions"))
    return Visit(participant, session, *taken, given, problem=" ".join(problems) or None, remarks=tuple(remarks))


def _word(role: str) -> str:
    return "lesion mask" if role == "lesions" else f"{ROLES[role]['suffix']} image"


def _spare(root: Path, masks: Path, participant: str) -> list[tuple[Path, str]]:
    """Return what a participant's folders hold that no visit takes, but for lesion masks in a visit's own."""
    odd = [(path, "it lies in no folder 'anat'") for path in naming.misplaced_masks(masks, participant)]
    return naming.untaken(root, participant, ("T1w", "FLAIR")) + odd


def _lonely_mask(masks: Path, participant: str, session: str | None) -> Visit:
    folder = masks / participant / (session or "") / "anat"
    problem = f"{folder}: holds a lesion mask, and the dataset no scan of that visit. Add one or remove the mask."
    return Visit(participant, session, problem=problem)


def _given(derivatives: Sequence[Path], place: Path, name: str) -> Path | None:
    """Return the first file, in any folder of derivatives, that takes the step's place."""
    wanted = {key: value for key, value in GIVEN[name].items() if key != "space"}
    spaces = GIVEN[name].get("space")
    for derivative in derivatives:
        folder = derivative / place
        if wanted["suffix"] == "xfm":
            paths = [p for p in sorted(folder.glob("*_xfm.*")) if p.suffix in _TRANSFORMS]
            paths = [p for p in paths if all(naming.entities(p).get(key) == value for key, value in wanted.items())]
        else:
            choices = spaces if isinstance(spaces, list) else [spaces]
            paths = [
                path for space in choices for path in naming.images(folder, wanted | {"space": space, "res": None})
            ]
        if paths:
            return paths[0]
    return None
