"""`pellucid study run`: a whole experiment from its specification."""

from __future__ import annotations

from pellucid.cli.options import Workers
from pellucid.cli.runs import run_study
from pellucid.cli.specs import (
    ClusterOption,
    ExtendOption,
    NetworkOption,
    OutOption,
    PluginOption,
    SpecArgument,
    TrialsOption,
)

EXAMPLE = "Example: pellucid study run mystudy.toml --out runs/mystudy"


def run(
    study: SpecArgument,
    *,
    out: OutOption = None,
    trials: TrialsOption = None,
    workers: Workers = None,
    cluster: ClusterOption = None,
    extend: ExtendOption = False,
    network: NetworkOption = None,
    plugin: PluginOption = None,
) -> None:
    """Run a study. Complete tasks are not run again; a stopped run is resumed."""
    run_study(
        study,
        out=out,
        trials=trials,
        workers=workers,
        cluster=cluster,
        extend=extend,
        networks=network or [],
        plugins=plugin or [],
    )
