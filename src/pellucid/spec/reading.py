"""A specification read from TOML, or refused with the file, the key and what is accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pellucid.ground.checked import did_you_mean, read_checked
from pellucid.ground.errors import InputError, raise_together
from pellucid.ground.files import parse_toml
from pellucid.ground.opening import read_text
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.outputs import changed_spec, read_record
from pellucid.simulate.settings import SETTINGS
from pellucid.spec.arms import MOST_MODELS
from pellucid.spec.problems import with_lines
from pellucid.spec.rivals import with_bright_voxels
from pellucid.spec.spec import Spec
from pellucid.training.baselines.kinds import kind_of

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
            f"Give a TOML file, a run directory, or the name of an included one: {', '.join(shipped)}",
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
    spec = read_checked(Spec, _completed(table), file=file)
    _check_names(spec, file=file)
    return with_bright_voxels(spec, file=file)


def _completed(table: dict[str, Any]) -> dict[str, Any]:
    """Return a file's content with what follows from other sections: a split for each cohort, simulated groups, seeds.

    What has not the form of a specification stays as it is, to be refused.
    """
    cohorts, splits, study = (_table(table.get(name)) for name in ("cohorts", "splits", "study"))
    seed = study.get("seed")
    seed = seed if isinstance(seed, int) and seed >= 0 else 0
    found = dict(table)
    if cohorts:
        found["cohorts"] = {name: _completed_cohort(name, cohort, seed) for name, cohort in cohorts.items()}
        if splits == table.get("splits", {}):
            found["splits"] = {name: splits.get(name, {}) for name in (*cohorts, *splits)}
    return found


def _completed_cohort(name: str, cohort: Any, seed: int) -> Any:
    """Return the table of a cohort; a simulated one has its modality, its groups and a seed of its own."""
    simulate = _table(cohort).get("simulate")
    if not isinstance(simulate, dict):
        return cohort
    kind = simulate.get("kind")
    known = SETTINGS[kind if kind in list(SETTINGS) else "ms"]  # another is refused
    groups = {"modality": known.MODALITY, "positive": known.POSITIVE, "negative": known.NEGATIVE}
    return {**groups, **cohort, "simulate": {"seed": derive_seed(seed, "simulate", name), **simulate}}


def _table(value: Any) -> dict[str, Any]:
    """Return a value if it is a table, or an empty one."""
    return value if isinstance(value, dict) else {}


def _check_names(spec: Spec, *, file: Path) -> None:
    """Refuse names that nothing has, impossible starts, too many models, and explained arms that hold nobody out."""
    raise_together(InputError(file, what, fix) for what, fix in _wrong_names(spec))
    if (models := sum(map(spec.trial_count, (*spec.training, *spec.baselines)))) > MOST_MODELS:
        what = f"it needs {models} models: trials times folds of all arms and baselines"
        raise InputError(file, what, f"Ask for {MOST_MODELS} at most")
    cohorts = dict.fromkeys(spec.training[name].cohort for name in (spec.explain.arms if spec.explain else ()))
    fix = "Hold participants out: [explain] makes maps of the held-out participants of"
    idle = [name for name in cohorts if not spec.splits[name].judges]
    raise_together(InputError(file, f"`splits.{name}.holdout` is 0", f"{fix} `{name}`") for name in idle)


def _wrong_names(spec: Spec) -> Iterator[tuple[str, str]]:
    """Say what is wrong between the sections, and how to mend it."""
    for name in spec.splits:
        yield from _unknown(f"splits.{name}", name, spec.cohorts)
    for name, baseline in spec.baselines.items():
        yield from _unknown(f"baselines.{name}.cohort", baseline.cohort, spec.cohorts)
        if name in spec.training:
            yield f"`baselines.{name}` and `training.{name}` share a name", "Rename one"
        scaling = baseline.scaling or spec.preparation.scaling
        kind = kind_of(baseline)
        if kind.scalings is not None and scaling not in kind.scalings:
            what = f"`baselines.{name}` counts bright voxels, and the scaling {scaling!r} cuts off the brightest"
            yield what, f"Give the baseline a `scaling` of its own: {', '.join(kind.scalings)}"
        target = spec.cohorts[baseline.cohort].column if baseline.cohort in spec.cohorts else None
        if target in kind.needs(baseline):
            yield (
                f"`baselines.{name}.confounds` has {target!r}, which is the label that the network predicts",
                "List the other confounds",
            )
    for name, arm in spec.training.items():
        yield from _unknown(f"training.{name}.cohort", arm.cohort, spec.cohorts)
        yield from _wrong_start(name, spec)
    for name in spec.explain.arms if spec.explain else ():
        yield from _unknown("explain.arms", name, spec.training)


def _wrong_start(name: str, spec: Spec) -> Iterator[tuple[str, str]]:
    """Say of an arm that it starts from nothing, from itself, from another network, or from those it is judged on."""
    seen = [name]
    cohort = spec.training[name].cohort
    while (start := spec.training[seen[-1]].start_from) is not None:
        if start not in spec.training:
            yield from _unknown(f"training.{seen[-1]}.start_from", start, spec.training)
            return
        if start in seen:
            yield f"`training.{name}.start_from` leads in a circle ({' > '.join([*seen, start])})", "Break it"
            return
        for key in ("network", "channels", "options"):
            mine, theirs = (getattr(spec.training[arm], key) for arm in (name, start))
            if mine != theirs:
                yield (
                    f"`training.{name}.{key}` is {mine}, but it starts from `{start}` with {theirs}",
                    "Give both the same",
                )
                return
        cohorts = [spec.training[arm].cohort for arm in (*seen, start)]
        folds = cohort in spec.splits and spec.splits[cohort].scheme == "cross-validation"
        if folds and cohorts[-1] == cohort and set(cohorts) != {cohort}:
            what = (
                f"`training.{name}` starts, through another cohort, from `{start}`, which is trained on `{cohort}` too"
            )
            yield what, "A fold's held-out people would have trained what it starts from: take one of the arms out"
            return
        seen.append(start)


def _unknown(key: str, name: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Say of a name that nothing has it."""
    if name not in names:
        fix = f"{did_you_mean(name, names)}Give one of {', '.join(names)}"
        yield f"`{key}` names {name!r}, which does not exist", fix
