"""A study's tables of maps: relevance in lesions and in areas, what layers absorb, and whether groups differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pellucid.analysis.families import with_q
from pellucid.analysis.regions import compare_groups, regional_lesions, regional_relevance
from pellucid.atlas.find import find_atlas
from pellucid.atlas.labels import Atlas
from pellucid.cohort.store import open_store
from pellucid.ground.arrays import Float32Array
from pellucid.ground.files import read_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.image.grid import Grid
from pellucid.maps.evidence import find_learned, lesion_evidence, truth_maps
from pellucid.maps.sidecars import read_sums
from pellucid.rundir.tables import empty_table
from pellucid.rundir.untaught import untaught_arms
from pellucid.spec.sections import Explain
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.explaining import LEDGER, HeldOut, held_out_scans, map_columns
from pellucid.study.steps.table_registry import Needs, after, study_table
from pellucid.trust.lesion_summary import compare_with_nulls, lesion_summary
from pellucid.trust.nulls import NULLS, Learned, null_maps
from pellucid.trust.places import relevance_in_places


def of_maps(spec: Spec) -> Needs | None:
    """Return what a table of maps needs: those of the explained arms, as far as there are any."""
    return _of_arms(spec.explain.arms if spec.explain else (), "explain")


def of_judged_maps(spec: Spec) -> Needs | None:
    """Return what a table of maps beside null maps needs."""
    return _of_arms(spec.explain.arms if spec.explain else (), "explain", "nulls")


def of_simulated_maps(spec: Spec) -> Needs | None:
    """Return what such a table needs of simulated people."""
    return _of_arms(simulated_arms(spec, spec.explain) if spec.explain else (), "explain", "nulls")


def of_lesion_masks(spec: Spec) -> Needs | None:
    """Return what a table of lesion masks needs, of a study that explains."""
    return Needs(tasks=("splits",)) if spec.explain else None


def _of_arms(arms: Sequence[str], *kinds: str) -> Needs | None:
    parts = tuple(tuple(f"{kind}/{arm}" for kind in kinds) for arm in arms)
    return Needs(parts=parts) if parts else None


@study_table("ledger", needs=of_maps)
def ledger(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Say of every map what each layer passed on, and what bias and epsilon absorbed."""
    tables = [read_tsv(plan.folder.maps(arm, method) / LEDGER) for arm, method in _explained(plan)]
    return pd.concat(tables, ignore_index=True)


@study_table("sums", needs=of_maps)
def sums(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum every map over all voxels: one row a map.

    Columns: whose map it is, `correct` (the explained logit has the label's sign), logit, sum, positive and negative
    (the sums of either sign), gross (of all sizes), gross_per_logit, what the layers absorbed, alarm (what of that is
    wrong: `analysis.alarms`), voxel_mean (sum / voxels of the grid, what Eitel 2019, section 3.2, calls a sum).
    """
    # deviates: the paper states a group's sum +- an SD over voxels (0.0013) and 9.71 % of relevance in lesions; here a
    # sum is a person's, with no SD over voxels, and the share in lesions is a median of positive shares (`lesions`).
    rows = []
    for arm, one in _scans(plan, progress):
        R = one.relevance
        said = read_sums(one.path, R).columns() | {"voxel_mean": R.mean(dtype=np.float64)}
        rows.append(_whose(arm, one) | {"correct": one.correct} | said)
    return pd.DataFrame(rows)


@study_table("lesions", needs=of_judged_maps)
def lesions(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Measure every map, its absolute value, and its nulls against the subject's lesion mask."""
    tables = []
    for arm, one in _scans(plan, progress):
        store, n, explainer = one.store, one.row, one.explainer
        mask = store.lesions(n)
        table = lesion_evidence(
            one.relevance,
            None if mask is None else mask.astype(bool),
            name=one.method,
            image=store.images[n].astype(np.float32),
            brain=store.brain[n],
            seen=explainer.view.mask(),
            learned=find_learned(explainer.folder, explainer.grid),
            grid=explainer.grid,
        )
        tables.append(_with_subject(table, _whose(arm, one)))
    return pd.concat(tables, ignore_index=True)


@study_table("lesions_summary", needs=after("lesions"))
def lesions_summary(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum up the maps of each arm and method, and nulls, over the people of each group; `lesion_summary` says how."""
    keys = ["arm", "method", "group"]
    found = read_tsv(plan.folder.table("lesions")).groupby(keys, sort=False)
    tables = [_with_subject(lesion_summary(one), dict(zip(keys, key, strict=True))) for key, one in found]
    return pd.concat(tables, ignore_index=True)


@study_table("lesions_compared", needs=after("lesions"))
def lesions_compared(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Compare the maps of each arm and method with the best null over its patients; `compare_with_nulls` says how."""
    tables = []
    for (arm, method), table in read_tsv(plan.folder.table("lesions")).groupby(["arm", "method"], sort=False):
        patients = table[table["group"] == plan.spec.cohort_of(str(arm)).positive]
        tables.append(_with_subject(compare_with_nulls(patients), {"arm": arm, "method": method}))
    return pd.concat(tables, ignore_index=True)


@study_table("lesions_untaught", needs=after("lesions"))
def lesions_untaught(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Compare each arm's maps, over its patients, with those by the same method of networks that never learned of them.

    As `lesions_compared`, with the other arm as the one null, and its name for a column.
    """
    found, tables = read_tsv(plan.folder.table("lesions")), []
    for (arm, method), own in found.groupby(["arm", "method"], sort=False):
        positive = plan.spec.cohort_of(str(arm)).positive
        for other in untaught_arms(plan.spec, str(arm)):
            theirs = found[(found["arm"] == other) & (found["method"] == method)]
            for name in (name for name in dict.fromkeys(own["map"]) if name not in NULLS):
                rival = theirs[theirs["map"] == name].assign(map="untaught")
                both = pd.concat([own[own["map"] == name], rival])
                compared = compare_with_nulls(both[both["group"] == positive], nulls=("untaught",))
                compared = compared.drop(columns=["best_null", "scan_value"])
                compared = compared.rename(columns={"null_value": "untaught_value"})
                tables.append(_with_subject(compared, {"arm": arm, "method": method, "untaught": other}))
    return pd.concat(tables, ignore_index=True) if tables else empty_table("lesions_untaught")


@study_table("regions", needs=of_maps)
def regions(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum every map over the areas of each atlas, unseen voxels left out and their share stated."""
    tables, atlases = [], dict[str, Atlas]()
    for arm, one in _scans(plan, progress):
        atlases = atlases or _atlases(plan.spec, one.explainer.grid)
        whose = _whose(arm, one) | {"correct": one.correct}
        relevance, seen = one.relevance, one.explainer.view.mask()
        for name, atlas in atlases.items():
            table = regional_relevance(relevance, atlas.labels, atlas.regions, seen)
            tables.append(_with_subject(table, whose | {"atlas": name}))
    return pd.concat(tables, ignore_index=True)


_TESTED = {"sum": "", "sum_per_logit": "_per_logit", "sum_per_gross": "_per_gross"}
"""What is tested of an area: column of the regions to ending of the columns of the tests."""


@study_table("region_tests", needs=after("regions", "sums"))
def region_tests(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Ask of every area of each arm, method and atlas whether the groups' relevance differs; `compare_groups` says how.

    Of sums, which follow the logit and so differ wherever relevance is; and of what each area has of a map: its sum
    over the map's |logit| (`_per_logit`), and over the map's sum of |relevance| (`_per_gross`).
    `q` controls the false discovery rate of all p of the table: of all areas, atlases, methods, arms and three tests.
    """
    tables = []
    of_map = ["arm", "method", "participant_id", "session_id"]
    totals = read_tsv(plan.folder.table("sums"))
    totals = totals.assign(per_logit=totals["logit"].abs(), per_gross=totals["gross"])
    found = read_tsv(plan.folder.table("regions")).merge(
        totals[[*of_map, "per_logit", "per_gross"]], on=of_map, how="left"
    )
    for total in ("per_logit", "per_gross"):
        found[f"sum_{total}"] = found["sum"] / found[total].where(found[total] > 0)
    for (arm, method, atlas), table in found.groupby(["arm", "method", "atlas"], sort=False):
        positive = plan.spec.cohort_of(str(arm)).positive
        factor, seed = plan.spec.split_of(str(arm)).correction, derive_seed(plan.spec.study.seed, "permutation")
        for column, ending in _TESTED.items():
            tested = compare_groups(table, positive, column=column, correction=factor, seed=seed)
            tables.append(_with_subject(tested, {"arm": arm, "method": method, "atlas": atlas, "test": ending}))
    family = with_q(pd.concat(tables, ignore_index=True))
    whose = ["arm", "method", "atlas", "area"]
    by_test = {str(test): one.drop(columns="test").set_index(whose) for test, one in family.groupby("test", sort=False)}
    return pd.concat([one.add_suffix(test) for test, one in by_test.items()], axis=1).reset_index()


@study_table("lesion_regions", needs=of_lesion_masks)
def lesion_regions(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Count the lesion voxels of every scan that has a mask in the areas of each atlas, on the network's grid."""
    cohort = plan.spec.training[_asked(plan.spec).arms[0]].cohort
    store = open_store(plan.folder.store(cohort))
    atlases, tables = _atlases(plan.spec, store.grid), []
    for n in range(len(store)):
        row, mask = store.table.iloc[n], store.lesions(n)
        if mask is not None:
            whose = {name: row[name] for name in ("participant_id", "session_id", "group")}
            for name, atlas in atlases.items():
                table = regional_lesions(mask, atlas.labels, atlas.regions)
                tables.append(_with_subject(table, whose | {"atlas": name}))
        progress(n + 1, len(store), store.scan_name(n))
    return pd.concat(tables, ignore_index=True) if tables else empty_table("lesion_regions")


@study_table("truth", needs=of_simulated_maps)
def truth(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Measure every map, and nulls made of the scan alone, in the places where a simulation planted its effects.

    Places are the maps of the cohort's `derivatives/truth`, as they lie in the template; subjects' brains are warped.
    """
    tables, places = [], dict[str, dict[str, Float32Array]]()
    for arm, one in _scans(plan, progress):
        cohort = plan.spec.training[arm].cohort
        if plan.spec.cohorts[cohort].simulate is None:
            continue
        explainer = one.explainer
        if cohort not in places:
            places[cohort] = truth_maps(plan.folder.cohort(cohort), explainer.grid)
        brain, seen = one.store.brain[one.row], explainer.view.mask()
        percent = find_learned(explainer.folder, explainer.grid).percent
        nulls = null_maps(
            one.store.images[one.row].astype(np.float32),
            brain,
            seen,
            Learned(percent=percent),
            voxel_sizes=explainer.grid.voxel_sizes,
            seed=derive_seed(plan.spec.study.seed, "null", one.name),
        )
        rivals = {name: values for name, values in nulls.maps.items() if name != "random"}  # its lift is 1 anywhere
        for name, values in {one.method: one.relevance, **rivals}.items():
            table = relevance_in_places(values, places[cohort], brain, seen)
            tables.append(_with_subject(table, _whose(arm, one) | {"map": name}))
    return pd.concat(tables, ignore_index=True)


def simulated_arms(spec: Spec, asked: Explain) -> list[str]:
    """Return the explained arms that learned from simulated people."""
    return [arm for arm in asked.arms if spec.cohort_of(arm).simulate is not None]


def _scans(plan: Plan, progress: Progress) -> Iterator[tuple[str, HeldOut]]:
    """Yield every map with its arm, and tell the progress once each has been dealt with."""
    # deviates: tables of lesions, regions and tests use all held-out people; the paper's the correctly classified.
    asked = _asked(plan.spec)
    pairs = _explained(plan)
    scans = [(arm, one) for arm, method in pairs for one in held_out_scans(plan, asked, arm, method)]
    for done, (arm, one) in enumerate(scans, start=1):
        yield arm, one
        progress(done, len(scans), one.name)


def _explained(plan: Plan) -> list[tuple[str, str]]:
    """Return the arms and methods all of whose maps are there."""
    pairs = product(_asked(plan.spec).arms, _asked(plan.spec).methods)
    return [(arm, method) for arm, method in pairs if (plan.folder.maps(arm, method) / LEDGER).is_file()]


def _atlases(spec: Spec, grid: Grid) -> dict[str, Atlas]:
    """Return the study's atlases on a grid, by name."""
    return {name: find_atlas(name, merge=spec.analysis.merge).on(grid) for name in spec.analysis.atlases}


def _asked(spec: Spec) -> Explain:
    """Return what was asked to be explained."""
    assert spec.explain is not None  # the tasks that call this exist only then
    return spec.explain


def _whose(arm: str, one: HeldOut) -> dict[str, Any]:
    """Return the columns that say whose map a row is about, and of which networks: people of one are alike."""
    return map_columns(arm, one) | {"networks": one.networks}


def _with_subject(table: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    """Put the columns that say whose rows these are in front."""
    for place, (column, value) in enumerate(columns.items()):
        table.insert(place, column, value)
    return table
