"""`pellucid methods`: what a model can be explained by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import console

if TYPE_CHECKING:
    from pellucid.attribution.method import Method

EXAMPLE = "Example: pellucid methods lrp-epsilon"


def methods(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only these: a name, or where a class of your own is, package.module:Class."),
    ] = None,
) -> None:
    """List the attribution methods: what each computes, its parameters, unit, source; and the rules of LRP."""
    from pellucid.attribution.explain import methods as every
    from pellucid.attribution.methods import find_method
    from pellucid.attribution.rules import RULES

    for method in [find_method(name) for name in names] if names else every():
        for line in _lines(method):
            console.say(line)
    if not names:
        console.say("Rules of layer-wise relevance propagation, for the parameters of lrp-rules:", style="bold")
        for name, rule in RULES.items():
            console.say(f"  {name}: {rule.summary()} Source: {rule.source}.")


def _lines(method: Method) -> list[str]:
    """Return what is said of a method."""
    from pellucid.attribution.method import parameters_of

    return [
        f"{method.name} (unit: {method.units})",
        f"  {method.summary}",
        *(f"  {name}={default!r}: {doc}" for name, default, doc in parameters_of(method)),
        f"  Source: {method.source}.",
        "",
    ]
