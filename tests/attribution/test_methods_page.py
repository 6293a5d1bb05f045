"""docs/methods.md lists every method and rule as they say of themselves, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import pellucid
from pellucid.attribution.method import parameters_of
from pellucid.attribution.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def rows() -> list[str]:
    """Return the rows of both tables."""
    found = []
    for method in pellucid.methods():
        given = "<br>".join(f"`{name}` ({default!r}): {doc}" for name, default, doc in parameters_of(method)) or "none"
        found.append(f"| `{method.name}` | {given} | {method.units} | {method.summary} | {method.source} |")
    return [*found, *(f"| `{name}` | {rule.summary()} | {rule.source} |" for name, rule in RULES.items())]


def test_the_tables_are_what_methods_and_rules_say() -> None:
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert shown == rows()


def test_the_example_of_a_users_own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"```python\n(# mylab/methods.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "methods.py").write_text(source, encoding="utf-8")
    (tmp_path / "mylab" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), torch.rand(1, 1, 4)
    found = pellucid.explain(model, x, method="mylab.methods:SquaredGradient", factor=2)
    torch.testing.assert_close(found.relevance.flatten(), 2 * model[1].weight.detach().flatten().square())
