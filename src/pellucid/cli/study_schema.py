"""`pellucid study schema`: what editors need to complete a specification."""

from __future__ import annotations

import typer

EXAMPLE = "Example: pellucid study schema > study.schema.json"


def schema() -> None:
    """Print the JSON Schema of a specification, by which editors complete keys and mark what is wrong.

    Even Better TOML (VS Code) and other editors with Taplo use it for a file whose first line is
    `#:schema ./study.schema.json`, where that file is beside it.
    """
    from pellucid.spec.schema import to_json

    typer.echo(to_json(), nl=False)
