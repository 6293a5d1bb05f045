"""A specification read from TOML, or refused with the file, the key and what is accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pellucid.engine.cluster import ClusterSettings
from pellucid.ground.errors import InputError
from pellucid.ground.files import parse_toml
from pellucid.ground.limits import NAME
from pellucid.ground.opening import read_text
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.outputs import changed_spec, read_record
from pellucid.spec.arms import MOST_MODELS, Arm, Baseline
from pellucid.spec.fields import dotted, read_fields, refuse_unknown, require_table
from pellucid.spec.problems import Problems, with_lines
from pellucid.spec.rivals import with_bright_voxels
from pellucid.spec.sections import SIMULATIONS, Analysis, Cohort, Explain, Preparation, Split, Study
from pellucid.spec.spec import Spec
from pellucid.training.baselines import bright
from pellucid.training.baselines.settings import BaselineSettings
from pellucid.training.settings import TrialSettings

S = TypeVar("S")
T = TypeVar("T")

_MOST_BYTES = 1 << 20  # of a specification


def find_spec(name: str) -> Path:
    """Return the path of a specification: one that ships with Pellucid, by its bare name, a run directory's, or a file.

    A bare name means the same wherever one stands: a run directory that is called like a shipped study is `./demo`.
    """
    shipped = {path.stem: path for path in sorted((Path(str(files("pellucid"))) / "studies").glob("*.toml"))}
    if name in shipped:
        return shipped[name]
    run = RunFolder(Path(name))
    if run.record.is_file():
        return run.spec
    if not Path(name).is_file():
        raise InputError(
            name,
            "there is no such specification",
            f"Give a TOML file, a run directory, or the name of one that ships: {', '.join(shipped)}",
        )
    return Path(name)


def of_a_run(path: Path) -> bool:
    """Tell whether a specification is the one of a run directory, which may have come from anybody."""
    run = RunFolder(path.parent)
    return path.name == run.spec.name and run.record.is_file()


def check_unchanged(path: Path) -> None:
    """Refuse the specification of a run directory that is not as the run wrote it: it would be another study.

    Raises
    ------
    InputError
        Says so.
    """
    run = RunFolder(path.parent)
    changed = changed_spec(read_record(run.record), run.root)
    if changed is not None:
        fix = f"Restore it, or give your own specification: `pellucid study run STUDY.toml --out {run.root}`"
        raise InputError(changed.path, f"it {changed.what}", fix)


def read_spec(path: Path) -> Spec:
    """Read a specification from a TOML file.

    Raises
    ------
    InputError
        If the file is missing or no TOML, for an unknown key, a wrong type or an impossible value, and for a name that
        nothing has; it names file and key and says what is accepted.
    """
    return parse_spec(read_text(path, most=_MOST_BYTES), file=path)


def parse_spec(text: str, *, file: Path) -> Spec:
    """Read a specification from TOML text; `file` is named in messages, and relative paths start at its folder."""
    table = parse_toml(text, file)
    try:
        return _read(table, file=file)
    except InputError as error:
        raise with_lines(error, text) from None


def _read(table: dict[str, Any], *, file: Path) -> Spec:
    """Read a specification from a TOML file's content; raise all that is wrong with it at once."""
    problems = Problems()
    problems.attempt(refuse_unknown, table, [item.name for item in dataclasses.fields(Spec)], file=file, key="")
    tables = {name: problems.attempt(require_table, value, file=file, key=name) for name, value in table.items()}
    sections = {name: value for name, value in tables.items() if value is not None}
    for name in ("study", "cohorts", "training"):
        if not table.get(name):
            problems.note(InputError(file, f"[{name}] is missing", f"Add a section [{name}]"))
    seed = sections.get("study", {}).get("seed", 0)
    seed = seed if isinstance(seed, int) and seed >= 0 else 0  # its own error is noted below

    def one(kind: type[S], name: str) -> S | None:
        return problems.attempt(read_fields, kind, sections.get(name, {}), file=file, key=name)

    def each(name: str, read: Callable[..., S]) -> dict[str, S]:
        named = problems.attempt(_named, sections.get(name, {}), file=file, key=name) or []
        found = {label: problems.attempt(read, label, inner, key=f"{name}.{label}") for label, inner in named}
        return {label: value for label, value in found.items() if value is not None}

    study = one(Study, "study") if "study" in sections else None
    cohorts = each("cohorts", lambda name, inner, key: _read_cohort(name, inner, seed, file=file, key=key))
    preparation, analysis = one(Preparation, "preparation"), one(Analysis, "analysis")
    splits = problems.attempt(_read_splits, sections, file=file)
    training = each("training", lambda _, inner, key: _read_arm(Arm, TrialSettings, inner, file=file, key=key))
    baselines = each(
        "baselines", lambda _, inner, key: _read_arm(Baseline, BaselineSettings, inner, file=file, key=key)
    )
    explain = one(Explain, "explain") if "explain" in sections else None
    cluster = one(ClusterSettings, "cluster") if "cluster" in sections else None
    problems.raise_any()
    assert study is not None
    assert preparation is not None
    assert analysis is not None
    spec = Spec(
        study=study,
        cohorts=cohorts,
        preparation=preparation,
        splits=splits or {},
        training=training,
        baselines=baselines,
        explain=explain,
        analysis=analysis,
        cluster=cluster,
    )
    _check_names(spec, file=file)
    return with_bright_voxels(spec, file=file)


def _named(section: dict[str, Any], *, file: Path, key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the sub-tables of a section, whose names become folder names."""
    for name, inner in section.items():
        require_table(inner, file=file, key=dotted(key, name))
        if not NAME.fullmatch(name):
            raise InputError(file, f"`{dotted(key, name)}` is no usable name", "Use a-z, 0-9 and -, 64 at most")
    return list(section.items())


def _read_cohort(name: str, table: dict[str, Any], seed: int, *, file: Path, key: str) -> Cohort:
    """Read one cohort: `bids`, or `simulate` whose `kind` says which simulation and gives modality and groups."""
    plain = {k: value for k, value in table.items() if k != "simulate"}
    if ("bids" in table) == ("simulate" in table):
        raise InputError(file, f"[{key}] needs one source of scans", f'Give either `bids = "path"` or [{key}.simulate]')
    if "bids" in table:
        return read_fields(Cohort, plain, file=file, key=key)
    inner = dict(require_table(table["simulate"], file=file, key=f"{key}.simulate"))
    kind = inner.pop("kind", None)
    if kind not in SIMULATIONS:
        raise InputError(file, f"`{key}.simulate.kind` is {kind!r}", f"Give one of {', '.join(SIMULATIONS)}")
    settings, modality, positive, negative = SIMULATIONS[kind]
    inner.setdefault("seed", derive_seed(seed, "simulate", name))
    simulate = read_fields(settings, inner, file=file, key=f"{key}.simulate")
    groups = {"modality": modality, "positive": positive, "negative": negative, **plain}
    cohort = read_fields(Cohort, groups, file=file, key=key)
    return dataclasses.replace(cohort, simulate=simulate)


def _read_splits(sections: dict[str, dict[str, Any]], *, file: Path) -> dict[str, Split]:
    """Read the split of every cohort, the default one where the file says nothing."""
    problems, cohorts = Problems(), sections.get("cohorts", {})
    given = dict(_named(sections.get("splits", {}), file=file, key="splits"))
    for name in given:
        problems.attempt(_known, f"splits.{name}", name, cohorts, file=file)
    found = {
        name: problems.attempt(read_fields, Split, given.get(name, {}), file=file, key=f"splits.{name}")
        for name in cohorts
    }
    problems.raise_any()
    return {name: split for name, split in found.items() if split is not None}


def _read_arm(kind: type[T], settings: type[Any], table: dict[str, Any], *, file: Path, key: str) -> T:
    """Read one arm or baseline: its keys and those of its settings lie side by side; seeds are the study's to give."""
    own = [item.name for item in dataclasses.fields(kind) if item.name != "settings"]  # type: ignore[arg-type]
    inner = [item.name for item in dataclasses.fields(settings) if item.name != "seed"]
    problems = Problems()
    problems.attempt(refuse_unknown, table, [*own, *inner], file=file, key=key)
    values = {name: table[name] for name in inner if name in table}
    found = problems.attempt(read_fields, settings, values, file=file, key=key)
    values = {name: table[name] for name in own if name in table}
    arm: T | None = problems.attempt(read_fields, kind, values, file=file, key=key, given={"settings": found})
    problems.raise_any()
    assert arm is not None
    return arm


def _check_names(spec: Spec, *, file: Path) -> None:
    """Refuse names that nothing has, arms that start from themselves, and an explained arm that holds nobody out."""
    problems = Problems()
    for name, baseline in spec.baselines.items():
        problems.attempt(_known, f"baselines.{name}.cohort", baseline.cohort, spec.cohorts, file=file)
        if name in spec.training:
            problems.note(InputError(file, f"`baselines.{name}` and `training.{name}` share a name", "Rename one"))
        scaling = baseline.scaling or spec.preparation.scaling
        if baseline.settings.kind == "bright-voxels" and scaling not in bright.SCALINGS:
            what = f"`baselines.{name}` counts bright voxels, and the scaling {scaling!r} cuts off the brightest"
            fix = f"Give the baseline a `scaling` of its own: {', '.join(bright.SCALINGS)}"
            problems.note(InputError(file, what, fix))
        told = spec.cohorts[baseline.cohort].column if baseline.cohort in spec.cohorts else None
        if baseline.settings.kind == "logistic-confounds" and told in baseline.settings.confounds:
            what = f"`baselines.{name}.confounds` has {told!r}, which is what is to be told"
            problems.note(InputError(file, what, "List the other confounds"))
    for name, arm in spec.training.items():
        problems.attempt(_known, f"training.{name}.cohort", arm.cohort, spec.cohorts, file=file)
        problems.attempt(_check_start, name, spec, file=file)
    problems.raise_any()
    if (models := sum(map(spec.trial_count, (*spec.training, *spec.baselines)))) > MOST_MODELS:
        what = f"it asks for {models} models, trials times folds of all arms and baselines"
        raise InputError(file, what, f"Ask for {MOST_MODELS} at most")
    for name in spec.explain.arms if spec.explain else ():
        _known("explain.arms", name, spec.training, file=file)
        cohort = spec.training[name].cohort
        if not spec.splits[cohort].judges:
            raise InputError(
                file, f"`splits.{cohort}.holdout` is 0", f"Hold subjects out, for [explain] maps those of `{cohort}`"
            )


def _check_start(name: str, spec: Spec, *, file: Path) -> None:
    """Refuse an arm that starts from nothing, from itself, from another network, or from those it is judged on."""
    seen = [name]
    cohort = spec.training[name].cohort
    while (start := spec.training[seen[-1]].start_from) is not None:
        _known(f"training.{seen[-1]}.start_from", start, spec.training, file=file)
        if start in seen:
            raise InputError(
                file, f"`training.{name}.start_from` leads in a circle ({' > '.join([*seen, start])})", "Break it"
            )
        for key in ("network", "channels", "options"):
            mine, theirs = (getattr(spec.training[arm], key) for arm in (name, start))
            if mine != theirs:
                what = f"`training.{name}.{key}` is {mine}, but it starts from `{start}` with {theirs}"
                raise InputError(file, what, "Give both the same")
        cohorts = [spec.training[arm].cohort for arm in (*seen, start)]
        if cohorts[-1] == cohort and set(cohorts) != {cohort} and spec.splits[cohort].scheme == "cross-validation":
            what = f"`training.{name}` starts, by way of another cohort, from `{start}`, trained on `{cohort}` too"
            fix = "A fold's held-out people would have trained what it starts from: take one of the arms out"
            raise InputError(file, what, fix)
        seen.append(start)


def _known(key: str, name: str, names: dict[str, Any], *, file: Path) -> None:
    if name not in names:
        raise InputError(file, f"`{key}` names {name!r}, which does not exist", f"Give one of {', '.join(names)}")
