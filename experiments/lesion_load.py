"""How well lesion volume alone tells simulated patients from controls, over cohorts of the paper's size.

python experiments/lesion_load.py --cohorts 40
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

from pellucid.simulate.people import ms_people
from pellucid.simulate.settings import CohortSettings


def main() -> None:
    """Draw cohorts of seeds 0, 1, ... and print the AUC of their lesion volumes: least, mean, most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=40)
    aucs = []
    for seed in range(parser.parse_args().cohorts):
        people = ms_people(CohortSettings(seed=seed))
        volumes = [person.traits[0].lesion_volume_ml for person in people]
        aucs.append(float(roc_auc_score([person.group == "MS" for person in people], volumes)))
    print(f"{len(aucs)} cohorts: AUC {min(aucs):.3f} to {max(aucs):.3f}, mean {np.mean(aucs):.3f}")


if __name__ == "__main__":
    main()
