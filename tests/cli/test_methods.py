from __future__ import annotations

import pellucid as package
from pellucid.attribution.rules import RULES


def test_every_method_and_rule_is_listed_with_parameters_and_source(pellucid) -> None:
    shown = pellucid("methods")
    assert shown.code == 0
    words = " ".join(shown.out.split())
    for method in package.methods():
        assert f"{method.name} (unit: {method.units}) {method.summary}" in words
        assert f"Source: {method.source}." in words
        for name, value in method.parameters.items():
            assert f"{name}={value!r}: " in words
    for name, rule in RULES.items():
        assert f"{name}: {rule.summary()} Source: {rule.source}." in words


def test_one_may_be_asked_for_a_users_own_too(pellucid, own_methods) -> None:
    assert pellucid("methods", "gradient").out.splitlines()[0] == "gradient (unit: logit per unit of the image)"
    own = pellucid("methods", "ownmethods:Power")
    assert own.out.splitlines()[0] == "power (unit: logit)"
    assert "  digits=3: Digits that are kept." in own.out
    wrong = pellucid("methods", "gradients")
    assert (wrong.code, "Did you mean gradient?" in wrong.err) == (2, True)
