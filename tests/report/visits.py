"""A small preprocessed dataset: what its pages of quality control are drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.atlas.template import mni_template
from pellucid.ground.files import write_json
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.nifti import write_volume


def make_visits(root: Path) -> Path:
    """Write a preprocessed dataset, small.

    sub-01 has everything, sub-02 in session 1 a FLAIR alone, sub-03 failed, sub-04 is unfinished, and of sub-05 one
    file is gone, another damaged.
    """
    whole = make_visit(root, "sub-01", None, measures={"brain_dice": 0.96, "t1w_nmi": 1.011, "lesion_ml": 3.2})
    wrong = {"measure": "t1w_nmi", "verdict": "check", "text": "T1w <i>shares</i> too little, below 1.012"}
    warnings = ["flair: came without a skull", "there is <b>no</b> B"]
    write_json(root / "logs/sub-01.json", whole | {"verdict": "check", "findings": [wrong], "warnings": warnings})
    lone = make_visit(root, "sub-02", "ses-1", without=("t1w", "lesions", "csf", "grey", "white", "filled"))
    settings = lone["settings"] | {"skip": ["tissue"]}
    write_json(root / "logs/sub-02_ses-1.json", lone | {"settings": settings})
    error = "anat: has 2 T1w images (<script>alert(1)</script>). Keep one."
    blank: dict[str, Any] = {"verdict": None, "measures": {}, "steps": [], "files": {}, "inputs": [], "seconds": None}
    failed = {"state": "failed", "error": error, "traceback": "Traceback <here>"}
    write_json(root / "logs/sub-03.json", _visit_record("sub-03", None) | blank | failed)
    write_json(root / "logs/sub-04.json", _visit_record("sub-04", None) | blank | {"state": "running"})
    spoilt = make_visit(root, "sub-05", None, measures={"brain_dice": 0.91})
    (root / spoilt["files"]["t1w_mni"]).unlink()
    (root / spoilt["files"]["lesions_mni"]).write_bytes(b"no NIfTI")
    write_json(root / "logs/sub-05.json", spoilt)
    return root


def make_visit(
    root: Path,
    participant: str,
    session: str | None,
    *,
    without: tuple[str, ...] = (),
    measures: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Write a visit's images, of 4 mm voxels, native ones on an oblique grid; return its record."""
    grid, native = resized(MNI_1MM, (46, 55, 46)), _oblique()
    generator = np.random.default_rng(3)
    template = mni_template(grid)
    brain = template > 0
    lesions = np.zeros_like(brain)
    lesions[18:22, 25:27, 25:28] = lesions[28:30, 30:31, 26:27] = True
    noisy = template * (1 + 0.02 * generator.standard_normal(grid.shape)).astype(np.float32)
    flair = np.where(brain, 12000.0 - noisy, 0.0).astype(np.float32)
    white = np.clip((template - 6000.0) / 1500.0, 0.0, 1.0)
    csf = np.where(brain, np.clip((4500.0 - template) / 1000.0, 0.0, 1.0), 0.0)
    images: dict[str, tuple[Any, Grid]] = {
        **{f"{role}_mni": (image, grid) for role, image in (("t1w", noisy), ("flair", flair + 4000.0 * lesions))},
        "filled_mni": (flair, grid),
        "brain_mni": (brain, grid),
        "lesions_mni": (lesions, grid),
        "csf": (csf, grid),
        "grey": (np.where(brain, 1.0 - white - csf, 0.0).clip(0.0, 1.0), grid),
        "white": (white, grid),
        **{
            f"{role}_network": (np.where(brain, image / 4000.0 - 1.5, 0.0), grid)
            for role, image in _roles(noisy, flair)
        },
        **{role: (mni_template(native) + 100.0, native) for role in ("t1w", "flair")},
        **{f"{role}_brain": (mni_template(native) > 0, native) for role in ("t1w", "flair")},
    }
    folder = Path(participant, session or "", "anat")
    files = {}
    for key, (data, own) in images.items():
        if key.split("_")[0] not in without:
            files[key] = (folder / f"{participant}_{key}.nii.gz").as_posix()
            write_volume(root / files[key], data, own, np.uint8 if data.dtype == np.bool_ else np.float32)
    record = _visit_record(participant, session)
    inputs = [
        {"role": role, "path": f"/raw/{participant}_{role}.nii.gz", "sha256": 64 * "a"}
        for role in ("t1w", "flair", "lesions")
        if role not in without
    ]
    return record | {"files": files, "inputs": inputs, "measures": measures or {"brain_dice": 0.95}}


def _roles(noisy: Any, flair: Any) -> list[tuple[str, Any]]:
    return [("t1w", noisy), ("flair", flair), ("filled", flair)]


def _oblique() -> Grid:
    """A grid of thick slices, tilted, that holds the template's brain."""
    turn = np.deg2rad(8.0)
    tilt = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine = np.eye(4)
    affine[:3, :3] = tilt @ np.diag([-3.0, -3.0, 6.0])
    affine[:3, 3] = np.array([0.0, -18.0, 8.0]) - affine[:3, :3] @ ((np.array([60, 70, 30]) - 1) / 2)
    return Grid.of((60, 70, 30), affine)


def _visit_record(participant: str, session: str | None) -> dict[str, Any]:
    return {
        "visit": f"{participant}_{session}" if session else participant,
        "participant_id": participant,
        "session_id": session,
        "state": "done",
        "error": None,
        "verdict": "pass",
        "findings": [],
        "warnings": [],
        "measures": {},
        "steps": [{"step": "registration", "of": "t1w_to_mni", "given": False, "how": "affine", "seconds": 12.3}],
        "files": {},
        "inputs": [],
        "settings": {"skip": [], "scaling": "robust", "resampling": "antialias"},
        "versions": {"pellucid": "0.1.0"},
        "threads": 1,
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 31.0,
    }
