"""The kind `ms`: patients with multiple sclerosis and healthy controls, FLAIR and T1w, one visit each."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.simulate import contrast
from pellucid.simulate.anatomy import Anatomy
from pellucid.simulate.artefact import CENTRE_MM, GAIN, SPREAD_MM, coil_excess
from pellucid.simulate.kind import Head, Kind, Scans, Truth
from pellucid.simulate.lesions import class_shares
from pellucid.simulate.people import ms_people
from pellucid.simulate.settings import CohortSettings
from pellucid.simulate.subject import add_lesions


def scans(settings: CohortSettings, head: Head) -> Scans:
    """Grow lesions in a head, and scan it as FLAIR and T1w."""
    patient = head.person.group == settings.POSITIVE
    shares = class_shares(settings.lesions if patient else 0.0)
    tissues, counts = add_lesions(head.rng, head.anatomy, head.tissues, head.warp, traits=head.traits, shares=shares)
    artefact = settings.artefact if patient else 0.0
    images = {
        "FLAIR": contrast.flair(head.scanner, tissues, caps=settings.caps, artefact=artefact),
        "T1w": contrast.t1w(head.scanner, tissues, artefact=artefact),
    }
    volume = round(float(tissues.lesions.sum()) * head.anatomy.grid.voxel_volume_ml, 4)
    return Scans(images, tissues.lesions, {"lesions": counts, "lesion_volume_ml": volume})


def truth(settings: CohortSettings, anatomy: Anatomy) -> Truth:
    """Return what differs between patients and controls, and where."""
    shares = class_shares(settings.lesions)
    prior = sum(np.float32(shares[name]) * anatomy.lesion_prior[name] for name in shares)
    peak = np.asarray(prior, dtype=np.float32)
    maps = {
        "ventricles": anatomy.ventricles,
        "thalamus": anatomy.thalamus,
        "callosum": anatomy.callosum,
        "caps": anatomy.caps,
        "lesionprior": peak / peak.max(),
    }
    differs: dict[str, dict[str, Any]] = {
        "lesions": {
            "where": "lesionprior",
            "strength": settings.lesions,
            "patients": "more, larger and brighter lesions",
        },
        "callosum": {"where": "callosum", "strength": settings.callosum, "patients": "thinner"},
        "thalamus": {"where": "thalamus", "strength": settings.thalamus, "patients": "smaller"},
        "age_gap": {"where": "ventricles", "strength": settings.age_gap, "patients": "older: wider ventricles"},
    }
    if settings.artefact > 0.0:
        maps["artefact"] = coil_excess(anatomy.grid)
        differs["artefact"] = {
            "where": "artefact",
            "strength": settings.artefact,
            "patients": "scanned with a coil that is too sensitive at one place, the same in everybody's MNI space",
            "centre_mm": list(CENTRE_MM),
            "spread_mm": SPREAD_MM,
            "gain": settings.artefact * GAIN,
        }
    same = {
        "caps": {"where": "caps", "strength": settings.caps, "everybody": "hyperintense caps at the frontal horns"},
        "aging": {"where": "ventricles", "strength": settings.aging, "everybody": "wider ventricles and sulci"},
    }
    return Truth(differs, same, maps)


MS = Kind(disease="multiple sclerosis", sessions=False, lesions=True, people=ms_people, scans=scans, truth=truth)
