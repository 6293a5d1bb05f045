"""Small studies that are run once and looked at by many tests; who would change one works on a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pellucid.atlas.find import FOLDER_VARIABLE
from pellucid.atlas.template import mni_template
from pellucid.engine.tasks import Result, Task
from pellucid.ground.files import read_json, read_tsv, write_json, write_text, write_tsv
from pellucid.ground.progress import Progress
from pellucid.image.grid import MNI_1MM, resized
from pellucid.image.nifti import write_volume
from pellucid.rundir.outputs import CHECKSUM
from pellucid.rundir.tables import TABLES, members
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings
from pellucid.spec.arms import Baseline
from pellucid.spec.reading import read_spec
from pellucid.spec.sections import Split
from pellucid.spec.spec import Spec
from pellucid.study.run import run_study

TINY = Path(__file__).parent / "study" / "tiny.toml"


class Counter:
    """A watcher that counts what begins, and can stop the run there."""

    def __init__(self, stop: str = "") -> None:
        self.begun: list[str] = []
        self._stop = stop

    def begin(self, task: Task, number: int, total: int) -> Progress:
        if task.name == self._stop:
            raise KeyboardInterrupt
        self.begun.append(task.name)
        return lambda done, of, what: None

    def end(self, result: Result, number: int, total: int) -> None:
        pass


WITHOUT = "sub-0002"


def make_one_without_mask(root: Path) -> None:
    """Simulate a dataset of 4 mm, eight patients and controls each, and delete the lesion mask of `WITHOUT`."""
    simulate_cohort(root, CohortSettings(patients=8, controls=8, voxel_size=4.0, seed=4))
    (mask,) = (root / "derivatives" / "lesions" / WITHOUT).glob("anat/*_mask.nii.gz")
    mask.unlink()
    people = read_tsv(root / "participants.tsv").drop(columns="lesion_volume_ml", errors="ignore")
    write_tsv(root / "participants.tsv", people)


def run_tiny(root: Path) -> None:
    """Run the tiny study."""
    results = run_study(read_spec(TINY), root, watcher=Counter(), command=["pellucid", "test"])
    assert [result.error for result in results if result.state != "done"] == []


EXPLAINED = ("finetuned", "scratch", "untrained", "pretrained-only", "lesion-filled")
WHITE = "jhu-made-up"


def reported_study() -> Spec:
    """Return the tiny study with more arms, all of them explained, and with a made-up atlas of white matter."""
    tiny = read_spec(TINY)
    assert tiny.explain is not None
    scratch, finetuned = tiny.training["scratch"], tiny.training["finetuned"]
    arms = {
        "untrained": replace(scratch, fit=False),
        "pretrained-only": replace(finetuned, trials=1, fit=False),
        "lesion-filled": replace(finetuned, trials=1, images="lesion-filled"),
    }
    confounds = Baseline(cohort="ms", kind="logistic-confounds", folds=2)
    return replace(
        tiny,
        study=replace(tiny.study, title="A small study for tests"),
        training=tiny.training | {"scratch": replace(scratch, trials=2)} | arms,
        baselines=tiny.baselines | {"confounds": confounds},
        explain=replace(tiny.explain, arms=EXPLAINED),
        analysis=replace(tiny.analysis, atlases=("neuromorphometrics", WHITE)),
    )


def run_reported(begun: Path, root: Path) -> None:
    """Go on with a copy of the run of the tiny study as `reported_study` says, and forget how its files were left.

    So that a test may change a file, and that nothing is hashed each time that the run is opened.
    """
    copy_run(begun, root)
    write_atlas(root.with_name("atlases"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(root.with_name("atlases")))
        results = run_study(reported_study(), root, watcher=Counter(), command=["pellucid", "test"], extend=True)
    assert [result.error for result in results if result.state != "done"] == []
    record = read_json(root / "record.json")
    tasks = {name: {**task, "outputs": {}} for name, task in record["tasks"].items()}
    kept = {key: value for key, value in record.items() if key not in (CHECKSUM, "spec_sha256")}
    write_json(root / "record.json", kept | {"tasks": tasks})


def copy_run(source: Path, target: Path) -> Path:
    """Copy a run directory; images, which no test writes into, are the same files."""

    def copy(one: str, other: str) -> None:
        (os.link if one.endswith((".npy", ".nii.gz")) else shutil.copy2)(one, other)

    return Path(shutil.copytree(source, target, copy_function=copy))


def change_spec(root: Path, change: Callable[[Spec], Spec]) -> None:
    """Change the specification of a run."""
    write_text(root / "study.toml", change(read_spec(root / "study.toml")).to_toml())


def cross_validated(spec: Spec, **how: Any) -> Spec:
    """Return a study whose cohort `ms` is cross-validated."""
    split = Split(scheme="cross-validation", **how)
    return replace(spec, splits={**spec.splits, "ms": split})


def change_arm(spec: Spec, name: str, **changes: Any) -> Spec:
    """Return a study one of whose arms has other settings."""
    return replace(spec, training={**spec.training, name: replace(spec.training[name], **changes)})


def change_explain(spec: Spec, **changes: Any) -> Spec:
    """Return a study that is explained in another way."""
    assert spec.explain is not None
    return replace(spec, explain=replace(spec.explain, **changes))


def write_rows(root: Path, name: str, rows: pd.DataFrame) -> None:
    """Write a table of a run with the columns that are declared of it; those that the rows lack are empty."""
    columns = list(members(TABLES[name], rows))
    assert set(rows) <= set(columns), set(rows) - set(columns)
    write_tsv(root / "tables" / f"{name}.tsv", rows.reindex(columns=columns))


def write_atlas(folder: Path, areas: int = 6) -> None:
    """Write a label map that cuts the template's brain into areas, each what is nearest to its seed."""
    grid = resized(MNI_1MM, (48, 57, 48))
    voxels = np.argwhere(ndimage.binary_fill_holes(mni_template(grid) > 500))
    seeds = voxels[np.random.default_rng(11).choice(len(voxels), areas, replace=False)]
    labels = np.zeros(grid.shape, dtype=np.int16)
    labels[tuple(voxels.T)] = np.linalg.norm(voxels[:, None] - seeds[None], axis=-1).argmin(axis=1) + 1
    names = [f"{'Superior inferior posterior' if n == 1 else 'Some'} tract {n}" for n in range(1, areas + 1)]
    write_volume(folder / f"{WHITE}.nii.gz", labels, grid)
    write_tsv(folder / f"{WHITE}.tsv", pd.DataFrame({"index": range(1, areas + 1), "name": names}))
