"""How work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what) as work goes on: how many pieces are done, of how many, and what was done last."""


def unwatched(done: int, total: int, what: str) -> None:
    """Let work go on that nobody watches."""
