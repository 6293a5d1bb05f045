"""A study's cohorts: simulated or found, indexed, stored, split, and guarded against leakage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd

from pellucid.cohort.guard import check_leakage
from pellucid.cohort.splits import cross_validation, split
from pellucid.cohort.store import build_store, open_store
from pellucid.engine.tasks import Problem, Task
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv, write_json, write_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.image.grid import PAPER_GRID
from pellucid.rundir.folder import RunFolder, files_in
from pellucid.rundir.stores import Prepared, stores_of
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.kinds import people_of
from pellucid.simulate.settings import Settings
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.sections import Split
from pellucid.spec.spec import Spec
from pellucid.study.members import Members, members
from pellucid.study.plan import Plan
from pellucid.training.baselines.kinds import kind_of


def cohort_tasks(plan: Plan, *, workers: int) -> list[Task]:
    """Return the tasks that end with a store for each cohort and one table of splits."""
    tasks = []
    for name, cohort in plan.spec.cohorts.items():
        needs: tuple[str, ...] = ()
        if cohort.simulate:
            tasks.append(_simulate_task(name, cohort.simulate, plan.folder, workers=workers))
            needs = (tasks[-1].name,)
        tasks += [_store_task(one, plan, needs, workers=workers) for one in stores_of(plan.spec) if one.cohort == name]
    stores = tuple(f"store/{name}" for name in plan.spec.cohorts)

    def run_splits(_: Progress) -> None:
        write_splits(plan)

    outputs = (plan.folder.splits.with_suffix(".json"), plan.folder.splits)
    return [*tasks, Task(kind="splits", outputs=outputs, needs=stores, run=run_splits)]


def write_splits(plan: Plan) -> None:
    """Split every cohort by participant, let the guard judge all splits together, write splits.tsv and splits.json.

    Raises
    ------
    LeakageError
        If a participant, or an image, stands on two sides.
    """
    tables, hashes = {}, []
    for name in plan.spec.cohorts:
        store = open_store(plan.folder.store(name))
        table = store.table
        with _explained(name, left_out=[problem for _, problem in store.problems]):
            tables[name] = divide(table, plan.spec.splits[name], seed=derive_seed(plan.spec.study.seed, "split", name))
        hashes.append(table[["participant_id", "sha256"]])
    every, verdict = pd.concat(hashes, ignore_index=True), ""
    for fold in range(max(how.numbers for how in plan.spec.splits.values())):
        now = {name: table[table["fold"] == fold % plan.spec.splits[name].numbers] for name, table in tables.items()}
        found = check_leakage(now, hashes=None if verdict else every)  # contents are the same in every fold
        verdict = verdict or found
    if fold:
        verdict = f"in each of {fold + 1} folds {verdict}"
    columns = ["cohort", "fold", "participant_id", "group", "role"]
    rows = pd.concat([table.assign(cohort=name) for name, table in tables.items()], ignore_index=True)
    write_json(
        plan.folder.splits.with_suffix(".json"),
        {
            "Description": "Who trained, validated and was held out in each fold; by participant.",
            "Guard": verdict,
            "Seed": plan.spec.study.seed,
            "cohort": {"Description": "Name of the cohort in study.toml"},
            "fold": {"Description": "Number of the division, from 0: repeat times folds plus fold"},
            "role": {"Levels": {"train": "fitted", "validation": "stopped and selected by", "holdout": "judged on"}},
        },
    )
    write_tsv(plan.folder.splits, rows[columns])


def divide(table: pd.DataFrame, how: Split, *, seed: int) -> pd.DataFrame:
    """Divide a store's participants as a specification says: fold, participant_id, group, role."""
    if how.scheme == "cross-validation":
        return cross_validation(
            table, folds=how.folds, repeats=how.repeats, validation=how.validation, seed=seed, by=how.stratify
        )
    return split(table, holdout=how.holdout, validation=how.validation, seed=seed, by=how.stratify).assign(fold=0)


def _simulate_task(name: str, settings: Settings, folder: RunFolder, *, workers: int) -> Task:
    out = folder.cohort(name)

    def run(progress: Progress) -> None:
        simulate_cohort(out, settings, workers=workers, progress=progress)

    # The dataset's last files: what comes before them is whole when they are there.
    outputs = (out / "dataset_description.json", out / "derivatives" / "truth" / "dataset_description.json")
    return Task(
        kind="simulate", about=name, outputs=outputs, needs=(), run=run, leaves=partial(files_in, out), piece=_person
    )


def _person(path: Path) -> str | None:
    """Return whose a file of a simulated cohort is; None for the settings, without which nothing there counts."""
    return None if path.name == "settings.json" else path.name.partition("_")[0].partition(".")[0]


def _store_task(one: Prepared, plan: Plan, needs: tuple[str, ...], *, workers: int) -> Task:
    name, out = one.cohort, plan.folder.store(one.name)
    cohort = plan.spec.cohorts[name]

    def run(progress: Progress) -> None:
        found = members(name, cohort, cohort.bids or plan.folder.cohort(name))
        build_store(
            _as_divided(name, found.rows, plan.folder),
            out,
            PAPER_GRID,
            scaling=one.scaling or plan.spec.preparation.scaling,
            resampling=plan.spec.preparation.resampling,
            positive=cohort.positive,
            filling=plan.spec.preparation.filling if one.filled else None,
            seed=derive_seed(plan.spec.study.seed, "fill", name),
            force=cohort.force,
            remarks=found.remarks,
            workers=workers,
            progress=progress,
        )

    def problems() -> Sequence[Problem]:
        store = open_store(out)
        left_out = [Problem(subject, message) for subject, message in store.problems]
        return left_out + [Problem(subject, message, left_out=False) for subject, message in store.remarks]

    return Task(
        kind="store",
        about=one.name,
        outputs=(out / "table.tsv", out / "store.json"),
        leaves=partial(files_in, out),
        needs=needs,
        run=run,
        problems=problems,
    )


def _as_divided(name: str, rows: pd.DataFrame, folder: RunFolder) -> pd.DataFrame:
    """Return the scans of a cohort; of a run whose people are divided already, those of others are problems."""
    if not folder.splits.is_file():
        return rows
    splits = read_tsv(folder.splits)
    divided = set(splits.loc[splits["cohort"] == name, "participant_id"])
    late = rows["problem"].isna() & ~rows["participant_id"].isin(divided)
    said = "this run has divided its people without it: it came, or was mended, later. Begin a new run to take it in"
    return rows.assign(problem=rows["problem"].mask(late, said))


def check_cohorts(spec: Spec, *, watch: Callable[[str, Members], None] | None = None) -> dict[str, Members]:
    """Index every cohort that is there already, before anything runs; return the scans of each.

    `watch` is called with each cohort's name and members as soon as they are known, before an error about them.

    Raises
    ------
    InputError
        As `members`; for a folder that is not there; for a cohort that cannot be divided as it should be (too few
        participants for its folds, a role without one of the groups); for an arm that needs lesions where none are.
    LeakageError
        If two datasets share participants: the guard would refuse them later.
    """
    found: dict[str, Members] = {}
    for name, cohort in spec.cohorts.items():
        if cohort.bids is None:
            continue
        if not cohort.bids.is_dir():
            raise InputError(cohort.bids, "the folder does not exist", f"Change `cohorts.{name}.bids`")
        found[name] = members(name, cohort, cohort.bids, watch=watch and partial(watch, name))
    usable = {name: one.usable for name, one in found.items()}
    check_leakage({name: rows[["participant_id"]].assign(role="all scans") for name, rows in usable.items()})
    for name, cohort in spec.cohorts.items():
        _check_split(name, _people(cohort.simulate) if cohort.simulate else found[name].rows, spec)
        if name in usable:
            _check_features(name, usable[name], spec)
    return found


def _check_features(name: str, rows: pd.DataFrame, spec: Spec) -> None:
    """Refuse arms and baselines for which nobody of a group has what they read."""
    for section, users in (("training", spec.training), ("baselines", spec.baselines)):
        for label, user in users.items():
            for what, there in _read_by(user, rows).items() if user.cohort == name else ():
                lacking = [str(group) for group, some in there.groupby(rows["group"]) if not some.any()]
                if lacking:
                    whose = f"group {lacking[0]!r} of " if there.any() else ""
                    raise InputError(
                        f"[{section}.{label}]",
                        f"it needs {what}, and no scan of {whose}cohort {name!r} has one",
                        f"{_WHERE[what]}, or remove it",
                    )


_MASK, _LOAD, _AGE, _SEX = "a lesion mask", "a lesion mask or a stated volume", "a known age", "a known sex"
_WHERE = {
    _MASK: "Say where masks are with `lesions` of the cohort; one without any voxel says that there are no lesions",
    _LOAD: "Say where masks are with `lesions` of the cohort, or give `lesion_volume_ml` in participants.tsv",
    _AGE: "Give `age` in participants.tsv",
    _SEX: "Give `sex` in participants.tsv",
}
"""What arms and baselines may read of a person, and how to give it."""


def _read_by(user: Arm | Baseline, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what an arm or a baseline cannot do without, and of which scans it is there."""
    masks, found = rows["lesion_mask"].notna(), dict[str, pd.Series]()
    if user.images in ("lesion-filled", "lesion-mask"):
        found[_MASK] = masks
    if isinstance(user, Baseline):
        words = {"age": _AGE, "sex": _SEX, "lesion_volume_ml": _LOAD}  # all else is measured in every scan
        for column in kind_of(user).needs(user):
            if column in words:
                measured = masks if column == "lesion_volume_ml" else False
                found[words[column]] = rows[column].notna() | measured
    return found


def _people(simulation: Settings) -> pd.DataFrame:
    """Return who will be in a simulated cohort."""
    return pd.DataFrame([person.row() for person in people_of(simulation)]).assign(problem=None)


def _check_split(name: str, rows: pd.DataFrame, spec: Spec) -> None:
    """Divide a cohort as the study will, as far as its scans can be used; say which section is at fault."""
    problems = rows["problem"].dropna()
    with _explained(name, left_out=list(problems)):
        divide(rows[rows["problem"].isna()], spec.splits[name], seed=derive_seed(spec.study.seed, "split", name))


@contextmanager
def _explained(name: str, *, left_out: Sequence[str]) -> Iterator[None]:
    """Say of a cohort that cannot be divided which section is at fault, and why scans are not among it."""
    try:
        yield
    except InputError as error:
        what = f"`{error.where}`: {error.what}"
        if left_out:
            what += (
                f"; {len(left_out)} of its scans cannot be used (`study check` names them), the first: {left_out[0]}"
            )
            what = what.rstrip(".")
        raise InputError(f"[splits.{name}]", what, error.fix) from None
