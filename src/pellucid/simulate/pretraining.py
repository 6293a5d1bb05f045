"""The kind `pretraining`: patients with Alzheimer's disease and controls, T1w, several visits each."""

from __future__ import annotations

from pellucid.simulate import contrast
from pellucid.simulate.anatomy import Anatomy
from pellucid.simulate.kind import Head, Kind, Scans, Truth
from pellucid.simulate.people import pretraining_people
from pellucid.simulate.settings import PretrainingSettings


def scans(settings: PretrainingSettings, head: Head) -> Scans:
    """Scan a head as T1w."""
    return Scans({"T1w": contrast.t1w(head.scanner, head.tissues)})


def truth(settings: PretrainingSettings, anatomy: Anatomy) -> Truth:
    """Return what differs between patients and controls, and where."""
    differs = {
        "hippocampus": {"where": "hippocampus", "strength": settings.hippocampus, "patients": "smaller"},
        "ventricles": {"where": "ventricles", "strength": settings.ventricles, "patients": "wider"},
        "cortex": {"where": "the cortex", "strength": settings.cortex, "patients": "wider sulci"},
    }
    same = {"aging": {"where": "ventricles", "strength": settings.aging, "everybody": "wider ventricles and sulci"}}
    maps = {
        "ventricles": anatomy.ventricles,
        "thalamus": anatomy.thalamus,
        "callosum": anatomy.callosum,
        "hippocampus": anatomy.hippocampus,
    }
    return Truth(differs, same, maps)


PRETRAINING = Kind(
    disease="Alzheimer's disease",
    sessions=True,
    lesions=False,
    people=pretraining_people,
    scans=scans,
    truth=truth,
)
