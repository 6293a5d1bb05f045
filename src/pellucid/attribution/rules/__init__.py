"""The rules of layer-wise relevance propagation by name, one a file of this folder."""

from __future__ import annotations

from pellucid.attribution.rules.rule import Rule
from pellucid.ground.registry import Registry, classes_in
from pellucid.network.naming import is_import_path
from pellucid.network.source import import_class

RULES: Registry[type[Rule]] = Registry("rule")
"""Each rule's class. A module outside of the package may `RULES.register(MyRule.name, MyRule)`."""

for _rule in classes_in(__name__, __path__, Rule):  # type: ignore[type-abstract]
    RULES.register(_rule.name, _rule)


def find_rule(name: str, *, where: str = "rule") -> Rule:
    """Return the rule of a name, or of a class of one's own (`package.module:Class`), its parameters at their defaults.

    Raises
    ------
    InputError
        At `where`, if there is none; names the nearest.
    """
    found = import_class(name, Rule, "rule") if is_import_path(name) else RULES.find(name, where=where)  # type: ignore[type-abstract]
    return found()
