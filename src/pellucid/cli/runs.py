"""A study run to its report, as several verbs do it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from pellucid.cli import console
from pellucid.cli.options import worker_count
from pellucid.cli.specs import read, trusted


def run_study(
    study: str,
    *,
    out: Path | None,
    workers: int | None,
    trials: int | None = None,
    cluster: str | None = None,
    extend: bool = False,
    networks: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> None:
    """Run a study and its report; exit with 1 if a task failed or a participant was excluded."""
    from pellucid.ground.errors import InputError
    from pellucid.study.networks import own_networks
    from pellucid.study.run import run_study as run

    if workers is not None and cluster not in (None, "local"):
        raise InputError("--workers", f"cannot be used with --cluster {cluster}", "Remove it")
    path, spec, folder = read(study, trials, out)
    may_import = trusted(spec, path, networks, plugins)
    code = {**dict.fromkeys(own_networks(spec), "network"), **dict.fromkeys(spec.plugins, "plugin")}
    if unknown := [name for name in code if name not in may_import]:
        named = " ".join(f"--{code[name]} {name}" for name in unknown)
        raise InputError(
            path,
            f"it is a run directory's and names code to import: {', '.join(unknown)}",
            f"If you trust that code, add {named}; or give your own specification: "
            f"`pellucid study run STUDY.toml --out {folder}`",
        )
    command = ["pellucid", *sys.argv[1:]]
    try:
        with console.Bars() as bars:
            results = run(
                spec,
                folder,
                watcher=bars,
                workers=worker_count(workers),
                command=command,
                cluster=cluster,
                settings=spec.cluster,
                extend=extend,
            )
    except KeyboardInterrupt as stop:
        console.warn("stopped; the same command resumes the run")
        raise typer.Exit(console.code_of(stop)) from None
    open_tasks = [result for result in results if result.state != "done"]
    left_out = [problem for result in results for problem in result.problems if problem.left_out]
    for problem in left_out:
        console.warn(f"excluded: {problem.subject}: {problem.message}")
    for result in open_tasks:
        if result.state == "failed":
            console.warn(f"failed: {result.task.name}: {result.trouble}")
    page, whole = write_report(folder)  # of a run with failures too: the page names them
    console.say(f"run directory: {folder}")
    console.say(f"report: {page}")
    if open_tasks:
        console.warn(f"{len(open_tasks)} of {len(results)} tasks are not done; the same command continues with them")
    elif spec.explain:
        own = spec.training[spec.explain.arms[0]].own_network
        words = f"{folder / 'models' / spec.explain.arms[0]} IMAGE{f' --network {own}' if own else ''}"
        console.say(f"explain your own scan: pellucid explain {words}")
    if open_tasks or left_out or not whole:
        raise typer.Exit(1)


def write_report(run: Path) -> tuple[Path, bool]:
    """Write a run's report; return its path, and whether nothing was damaged and every section could be drawn."""
    from pellucid.report.page import write_report as write

    said: list[str] = []
    with console.Bars() as bars, bars.step("report"):
        page = write(run, note=said.append)
    for words in said:
        console.warn(words)
    return page, not said
