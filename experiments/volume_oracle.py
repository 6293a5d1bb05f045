"""How far perfect volumetry of the simulated brains tells the groups apart: effects as what can be measured.

python experiments/volume_oracle.py --people 200
python experiments/volume_oracle.py --people 200 --kind pretraining

A structure's volume is the sum of its probability, warped into the subject, on a grid of 2 mm: no scan, no noise, no
segmentation. d is Cohen's, patients less controls in pooled standard deviations. The oracle is a logistic regression
on the volumes, or on their shares of the brain, by ten-fold cross-validation; no map of a network that sees
lesion-filled scans can rest on more than such volumes, as far as these structures go.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid.ground.arrays import BoolArray, Float64Array
from pellucid.simulate.anatomy import load_anatomy
from pellucid.simulate.deformation import sample
from pellucid.simulate.kinds import people_of
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.simulate.subject import Fields, shape_subject

STRUCTURES = {"ms": ("thalamus", "callosum", "ventricles"), "pretraining": ("hippocampus", "ventricles")}
TRAIT = "_mm"  # `thalamus_mm` is the hidden strength behind the thalamus


def cohen(values: Float64Array, label: BoolArray) -> float:
    """Return (mean of patients - mean of controls) / pooled SD."""
    patients, controls = values[label], values[~label]
    pooled = np.sqrt(
        (patients.var(ddof=1) * (len(patients) - 1) + controls.var(ddof=1) * (len(controls) - 1)) / (len(values) - 2)
    )
    return float((patients.mean() - controls.mean()) / pooled)


def auc(values: Float64Array, label: BoolArray) -> float:
    """Return the AUC of one number, turned round where patients have the smaller ones."""
    found = float(roc_auc_score(label, values))
    return max(found, 1.0 - found)


def oracle(features: Float64Array, label: BoolArray) -> float:
    """Return the cross-validated AUC of a logistic regression on `features`: (n, features)."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedKFold(min(10, int(label.sum())), shuffle=True, random_state=0)
    return float(roc_auc_score(label, cross_val_predict(model, features, label, cv=folds, method="decision_function")))


def main() -> None:
    """Shape so many patients and controls and print each structure's effect as trait, volume and share of the brain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200, help="patients, and as many controls")
    parser.add_argument("--kind", choices=list(STRUCTURES), default="ms")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    kinds = {"ms": CohortSettings, "pretraining": PretrainingSettings}
    settings = kinds[asked.kind](patients=asked.people, controls=asked.people, seed=asked.seed, voxel_size=2.0)
    anatomy, names = load_anatomy(2.0), STRUCTURES[asked.kind]
    fields, structures = Fields.of(anatomy), np.stack([getattr(anatomy, name) for name in names])
    labels, traits, volumes, brains = [], [], [], []
    for person in people_of(settings):
        rng = np.random.default_rng([settings.seed, 21, int(person.participant_id[-4:])])
        tissues, warp = shape_subject(rng, anatomy, fields, person.traits[0])
        labels.append(person.group in ("MS", "AD"))
        traits.append([getattr(person.traits[0], name + TRAIT) for name in names])
        volumes.append(sample(structures, warp.points()).sum(axis=(1, 2, 3), dtype=np.float64))
        brains.append(tissues.brain.sum(dtype=np.float64))
    label, trait, volume = np.array(labels), np.array(traits), np.array(volumes)
    share = volume / np.array(brains)[:, None]
    print("structure\ttrait d\tvolume d (AUC)\tvolume / brain d (AUC)")
    for n, name in enumerate(names):
        measured = "\t".join(f"{cohen(v, label):+.2f} ({auc(v, label):.2f})" for v in (volume[:, n], share[:, n]))
        print(f"{name}\t{cohen(trait[:, n], label):+.2f}\t{measured}")
    print(
        f"all, cross-validated AUC\t{oracle(trait, label):.2f}\t{oracle(volume, label):.2f}\t{oracle(share, label):.2f}"
    )


if __name__ == "__main__":
    main()
