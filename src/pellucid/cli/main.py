"""The command `pellucid`: its verbs, its one error line, its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import pellucid
from pellucid.cli import (
    bench,
    console,
    demo,
    doctor,
    explain,
    fill_lesions,
    judge,
    methods,
    predict,
    preprocess,
    report,
    simulate,
    study_check,
    study_run,
    study_schema,
    study_status,
    study_verify,
)
from pellucid.ground.errors import PellucidError
from pellucid.ground.processes import keep_folder_out, stop_on_signals


class Verbs(TyperGroup):
    """All verbs: Ctrl-C or a signal stops one, with one line and the right exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was typed."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            console.warn("stopped")
            raise typer.Exit(console.code_of(stop)) from None


HELP_OPTIONS = ("-h", "--help")

app = typer.Typer(
    cls=Verbs,
    name="pellucid",
    help="Transparent deep learning for brain MRI: classify scans, explain each answer, and test "
    "whether the explanation can be trusted.",
    epilog="Exit codes: 0 success; 1 some scans or tasks failed (they are named; the others are "
    "done); 2 wrong usage or input; "
    "130 stopped by Ctrl-C; 143 stopped by the system. "
    "Research software: not for clinical use.",
    context_settings={"help_option_names": list(HELP_OPTIONS)},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
studies = typer.Typer(help="Run or check a whole experiment, or show its state.", no_args_is_help=True)
VERBS: tuple[tuple[typer.Typer, Callable[..., None], ModuleType], ...] = (
    (app, demo.demo, demo),
    (app, simulate.simulate, simulate),
    (app, preprocess.preprocess, preprocess),
    (app, fill_lesions.fill_lesions, fill_lesions),
    (app, predict.predict, predict),
    (app, explain.explain, explain),
    (app, judge.judge, judge),
    (app, methods.methods, methods),
    (app, report.report, report),
    (app, bench.bench, bench),
    (app, doctor.doctor, doctor),
    (studies, study_run.run, study_run),
    (studies, study_check.check, study_check),
    (studies, study_status.status, study_status),
    (studies, study_verify.verify, study_verify),
    (studies, study_schema.schema, study_schema),
)
for group, verb, module in VERBS:
    group.command(epilog=module.EXAMPLE)(verb)
app.add_typer(studies, name="study")


def _print_version(wanted: bool) -> None:
    if wanted:
        console.say(f"pellucid {pellucid.__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the verb; --debug may stand anywhere, for `run` takes it out."""


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; print errors that Pellucid raises on purpose as one line, without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["preprocess"]:
        given = preprocess.spread(given)
    if given[:1] == ["explain"] and not {*HELP_OPTIONS}.isdisjoint(given):
        explain.list_methods()
    debug = "--debug" in given
    console.take_any_text()
    keep_folder_out()
    stop_on_signals()
    try:
        app([argument for argument in given if argument != "--debug"])
    except (PellucidError, OSError) as error:  # OSError: no permission, a full disk
        if debug:
            raise
        from pellucid.ground.files import disk_trouble

        console.warn(f"error: {disk_trouble(error) or error}")
        sys.exit(2)
