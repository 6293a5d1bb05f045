"""A study's tables of maps: relevance in lesions and in areas, what layers absorb, and whether groups differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pellucid.analysis.families import with_q
from pellucid.analysis.places import relevance_in_places
from pellucid.analysis.regions import compare_groups, regional_lesions, regional_relevance
from pellucid.atlas.find import find_atlas
from pellucid.atlas.labels import Atlas
from pellucid.cohort.store import open_store
from pellucid.files import read_tsv
from pellucid.image.grid import Grid
from pellucid.study.evidence import Floats, find_population, lesion_evidence, truth_maps
from pellucid.study.explaining import LEDGER, HeldOut, held_out_scans, scan_columns, scan_name
from pellucid.study.folder import RunFolder
from pellucid.study.maps import read_sums
from pellucid.study.sections import Explain
from pellucid.study.seeds import derive_seed
from pellucid.study.spec import Spec
from pellucid.study.tables import table_task
from pellucid.study.tasks import Progress, Task


def map_table_tasks(spec: Spec, folder: RunFolder) -> list[Task]:
    """Return one task a table of maps; none if the study explains nothing."""
    if spec.explain is None:
        return []
    arms, simulated = (
        tuple((f"explain/{arm}",) for arm in some) for some in (spec.explain.arms, _simulated(spec, spec.explain))
    )
    return [
        table_task("ledger", spec, folder, ledger, parts=arms),
        table_task("sums", spec, folder, sums, parts=arms),
        table_task("lesions", spec, folder, lesions, parts=arms),
        table_task("regions", spec, folder, regions, parts=arms),
        table_task("region_tests", spec, folder, region_tests, needs=("table/regions",)),
        table_task("lesion_regions", spec, folder, lesion_regions, needs=("splits",)),
        *([table_task("truth", spec, folder, truth, parts=simulated)] if simulated else []),
    ]


def ledger(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Say of every map what each layer passed on, and what bias and epsilon absorbed."""
    tables = [read_tsv(folder.maps(arm, _asked(spec).method) / LEDGER) for arm in _explained(spec, folder)]
    return pd.concat(tables, ignore_index=True)


def sums(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Sum every map over all voxels: one row a map.

    Columns: whose map it is, `correct` (the explained logit has the label's sign), logit, sum, positive and negative
    (the sums of either sign), gross (of all sizes), gross_per_logit, what the layers absorbed, alarm (what of that is
    wrong: `analysis.alarms`), voxel_mean (sum / voxels of the grid, what Eitel 2019, section 3.2, calls a sum).
    """
    # deviates: the paper states a group's sum +- an SD over voxels (0.0013) and 9.71 % of relevance in lesions; here a
    # sum is a person's, with no SD over voxels, and the share in lesions is a median of positive shares (`lesions`).
    rows = []
    for arm, one in _scans(spec, folder, progress):
        R = one.relevance
        said = read_sums(one.path, R).columns() | {"voxel_mean": R.mean(dtype=np.float64)}
        rows.append(_whose(arm, one) | {"correct": one.correct} | said)
    return pd.DataFrame(rows)


def lesions(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Measure every map, and its nulls, against the subject's lesion mask."""
    tables = []
    for arm, one in _scans(spec, folder, progress):
        store, n, explainer = one.store, one.row, one.explainer
        mask = store.lesions(n)
        table = lesion_evidence(
            one.relevance,
            None if mask is None else mask.astype(bool),
            name=_asked(spec).method,
            image=store.images[n].astype(np.float32),
            brain=store.brain[n],
            seen=explainer.view.mask(),
            population=find_population(explainer.folder, explainer.grid),
            seed=derive_seed(spec.study.seed, "null", one.name),
        )
        tables.append(_with_subject(table, _whose(arm, one)))
    return pd.concat(tables, ignore_index=True)


def regions(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Sum every map over the areas of each atlas, unseen voxels left out and their share stated."""
    tables, atlases = [], dict[str, Atlas]()
    for arm, one in _scans(spec, folder, progress):
        atlases = atlases or _atlases(spec, one.explainer.grid)
        whose = _whose(arm, one) | {"correct": one.correct}
        relevance, seen = one.relevance, one.explainer.view.mask()
        for name, atlas in atlases.items():
            table = regional_relevance(relevance, atlas.labels, atlas.regions, seen)
            tables.append(_with_subject(table, whose | {"atlas": name}))
    return pd.concat(tables, ignore_index=True)


def region_tests(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Ask of every area of each arm and atlas whether the groups' relevance differs; `compare_groups` says how.

    `q` controls the false discovery rate of all p of the table: of all areas, atlases and arms.
    """
    tables = []
    found = read_tsv(folder.table("regions"))
    for (arm, atlas), table in found.groupby(["arm", "atlas"], sort=False):
        positive = spec.cohorts[spec.training[str(arm)].cohort].positive
        factor, seed = spec.split_of(str(arm)).correction, derive_seed(spec.study.seed, "permutation")
        tested = compare_groups(table, positive, correction=factor, seed=seed)
        tables.append(_with_subject(tested, {"arm": arm, "atlas": atlas}))
    return with_q(pd.concat(tables, ignore_index=True))


def lesion_regions(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Count the lesion voxels of every scan that has a mask in the areas of each atlas, on the network's grid."""
    cohort = spec.training[_asked(spec).arms[0]].cohort
    store = open_store(folder.store(cohort))
    atlases, tables = _atlases(spec, store.grid), []
    for n in range(len(store)):
        row, mask = store.table.iloc[n], store.lesions(n)
        if mask is not None:
            whose = {name: row[name] for name in ("participant_id", "session_id", "group")}
            for name, atlas in atlases.items():
                table = regional_lesions(mask, atlas.labels, atlas.regions)
                tables.append(_with_subject(table, whose | {"atlas": name}))
        progress(n + 1, len(store), scan_name(row))
    columns = ["participant_id", "session_id", "group", "atlas", "area", "voxels", "lesion_voxels"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def truth(spec: Spec, folder: RunFolder, progress: Progress) -> pd.DataFrame:
    """Measure every map, and the scan itself as a null, in the places where a simulation planted its effects.

    Places are the maps of the cohort's `derivatives/truth`, as they lie in the template; subjects' brains are warped.
    """
    tables, places = [], dict[str, dict[str, Floats]]()
    for arm, one in _scans(spec, folder, progress):
        cohort = spec.training[arm].cohort
        if spec.cohorts[cohort].simulate is None:
            continue
        if cohort not in places:
            places[cohort] = truth_maps(folder.cohort(cohort), one.explainer.grid)
        whose = _whose(arm, one)
        brain, seen = one.store.brain[one.row], one.explainer.view.mask()
        image = one.store.images[one.row].astype(np.float32)
        for name, values in ((_asked(spec).method, one.relevance), ("intensity", image)):
            table = relevance_in_places(values, places[cohort], brain, seen)
            tables.append(_with_subject(table, whose | {"map": name}))
    return pd.concat(tables, ignore_index=True)


def _simulated(spec: Spec, asked: Explain) -> list[str]:
    """Return the explained arms that learned from simulated people."""
    return [arm for arm in asked.arms if spec.cohorts[spec.training[arm].cohort].simulate is not None]


def _scans(spec: Spec, folder: RunFolder, progress: Progress) -> Iterator[tuple[str, HeldOut]]:
    """Yield every map with its arm, and tell the progress once each has been dealt with."""
    # deviates: tables of lesions, regions and tests use all held-out people; the paper's the correctly classified.
    asked = _asked(spec)
    scans = [(arm, one) for arm in _explained(spec, folder) for one in held_out_scans(spec, asked, arm, folder)]
    for done, (arm, one) in enumerate(scans, start=1):
        yield arm, one
        progress(done, len(scans), one.name)


def _explained(spec: Spec, folder: RunFolder) -> list[str]:
    """Return the arms all of whose maps are there."""
    asked = _asked(spec)
    return [arm for arm in asked.arms if (folder.maps(arm, asked.method) / LEDGER).is_file()]


def _atlases(spec: Spec, grid: Grid) -> dict[str, Atlas]:
    """Return the study's atlases on a grid, by name."""
    return {name: find_atlas(name, merge=spec.analysis.merge).on(grid) for name in spec.analysis.atlases}


def _asked(spec: Spec) -> Explain:
    """Return what was asked to be explained."""
    assert spec.explain is not None  # the tasks that call this exist only then
    return spec.explain


def _whose(arm: str, one: HeldOut) -> dict[str, Any]:
    """Return the columns that say whose map a row is about, and of which networks: people of one are alike."""
    return scan_columns(arm, one.store.table.iloc[one.row]) | {"networks": one.networks}


def _with_subject(table: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    """Put the columns that say whose rows these are in front."""
    for place, (column, value) in enumerate(columns.items()):
        table.insert(place, column, value)
    return table
