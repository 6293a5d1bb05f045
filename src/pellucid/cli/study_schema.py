"""`pellucid study schema`: what editors need to complete a specification."""

from __future__ import annotations

import typer

EXAMPLE = "Example: pellucid study schema > study.schema.json"


def schema() -> None:
    """Print the JSON Schema of a specification. With it, editors complete keys and mark errors.

    Even Better TOML (VS Code) and other editors with Taplo use it for a file whose first line is
    `#:schema ./study.schema.json`, if that file is in the same folder.
    """
    from pellucid.spec.schema import to_json

    typer.echo(to_json(), nl=False)
