"""The specification that a verb of `pellucid study` is given: its options, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pellucid.spec.spec import Spec

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY.toml", help="A specification, the name of an included one, or a run directory (its own is used)."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="The run directory. Default: the one given as STUDY.toml, or runs/NAME.")
]
TrialsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Run at most this many trials of each arm and baseline. The report says that it is a part of the study.",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Run tasks in parallel on Dask: `local` (--workers processes share the cores), "
        "`slurm`, or the address of a "
        "scheduler, tcp://host:port. Default: in this process.",
    ),
]
ExtendOption = Annotated[
    bool,
    typer.Option(
        "--extend",
        help="Extend the run in --out: with more trials, arms or baselines, or with other explanations and analyses. "
        "Fitted models are kept; maps and tables are made again.",
    ),
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="Your own network that may be imported although STUDY.toml is a run directory. A network is code, so "
        "nothing is imported because a directory says so. Can be repeated.",
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE",
        help="Your own plugin (or method or rule, MODULE:CLASS) that may be imported although STUDY.toml is a run "
        "directory; see --network. Can be repeated.",
    ),
]


def read(study: str, trials: int | None, out: Path | None) -> tuple[Path, Spec, Path]:
    """Return the specification's file, the specification, and the run directory."""
    from pellucid.spec.reading import check_unchanged, find_spec, of_a_run, read_spec

    path = find_spec(study)
    if of_a_run(path):
        check_unchanged(path)
    spec = read_spec(path)
    folder = out or (path.parent if of_a_run(path) else Path("runs") / spec.study.name)
    return path, spec if trials is None else spec.at_most(trials), folder


def trusted(spec: Spec, path: Path, networks: Sequence[str], plugins: Sequence[str]) -> set[str]:
    """Return what may be imported: networks and plugins named by the user, and all of a specification of the user's."""
    from pellucid.ground.errors import InputError
    from pellucid.spec.reading import of_a_run

    own = {arm.own_network for arm in spec.training.values() if arm.own_network is not None}
    for option, named, known in (("network", networks, own), ("plugin", plugins, {*spec.plugins})):
        if strange := [name for name in named if name not in known]:
            there = ", ".join(sorted(known)) or "none"
            what = f"{strange[0]} is no {option} of this study (those are: {there})"
            raise InputError(f"--{option}", what, "Remove it")
    return {*networks, *plugins} if of_a_run(path) else own | {*spec.plugins}
