"""Alarms of maps that do not add up: each by its formula, none without a ledger, and what committed runs have."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.trust.alarms import gross_words, map_sums

RUNS = Path(__file__).parents[2] / "docs" / "runs"
NUMBERS = st.floats(-100.0, 100.0, allow_subnormal=False).map(lambda x: round(x, 3))


def rows(*bias: float, epsilon: float = 0.0) -> list[dict[str, object]]:
    return [
        {"layer": f"conv{n}", "relevance_out": 0.0, "absorbed_bias": one, "absorbed_epsilon": epsilon}
        for n, one in enumerate(bias, start=1)
    ]


def test_the_sums_of_a_map() -> None:
    sums = map_sums([[3.0, -1.0], [0.0, -4.0]], 0.5, rows(0.2, 0.2, epsilon=0.01))
    assert (sums.positive, sums.negative, sums.total, sums.gross) == (3.0, -5.0, -2.0, 8.0)
    assert sums.gross_per_logit == 16.0
    assert sums.absorbed == pytest.approx({"bias": 0.4, "epsilon": 0.02})
    columns = sums.columns()
    assert columns["alarm"] == "sign"
    assert columns["absorbed_bias"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("total", "logit", "bias", "epsilon", "alarm"),
    [
        (1.0, 1.0, 0.0, 0.0, "none"),
        (0.1, 1.0, 0.9, 0.0, "none"),
        (-0.1, 1.0, 1.1, 0.0, "sign+bias"),
        (-0.1, 1.0, 0.5, 0.6, "sign"),
        (2.5, 1.0, -1.5, 0.0, "bias"),  # what the biases add counts as what they take
        (-8.26, 1.04, 9.3, 0.0, "sign+bias"),
        (0.5, -0.5, -1.0, 0.0, "sign+bias"),
        (-0.5, -1.0, 0.0, -1.5, "epsilon"),
        (0.0, 1.0, 0.0, 1.0, "sign"),  # a map that says nothing has not the logit's sign
        (0.0, 0.0, 0.0, 0.0, "none"),
        (0.3, 0.0, -0.3, 0.0, "sign+bias"),
    ],
)
def test_each_alarm(total: float, logit: float, bias: float, epsilon: float, alarm: str) -> None:
    sums = map_sums([total], logit, rows(bias, epsilon=epsilon))
    assert sums.code == alarm
    assert len(sums.sentences()) == len(sums.alarms or ())


def test_the_biases_of_all_layers_count_together() -> None:
    assert map_sums([1.0], 1.0, rows(0.6, 0.6)).code == "bias"
    assert map_sums([1.0], 1.0, rows(3.0, -3.0)).code == "none"


def test_an_absorber_of_another_name_alarms_too() -> None:
    ledger = [{"layer": "fc", "absorbed_bias": 0.0, "absorbed_norm": -3.0}]
    sums = map_sums([4.0], 1.0, ledger)
    assert sums.code == "norm"
    assert sums.sentences() == ["norm absorbed -3, more than the logit of +1"]


@given(values=st.lists(NUMBERS, min_size=1, max_size=9), logit=NUMBERS, bias=st.lists(NUMBERS, min_size=1, max_size=4))
def test_laws(values: list[float], logit: float, bias: list[float]) -> None:
    sums = map_sums(values, logit, rows(*bias))
    assert sums.total == pytest.approx(sum(values), abs=1e-9)
    assert sums.gross == pytest.approx(sum(map(abs, values)), abs=1e-9)
    opposite = map_sums([-v for v in values], -logit, rows(*(-b for b in bias)))
    assert opposite.alarms == sums.alarms  # for and against are alike
    doubled = map_sums([2 * v for v in values], 2 * logit, rows(*(2 * b for b in bias)))
    assert doubled.alarms == sums.alarms  # and so are units
    if logit:
        assert doubled.gross_per_logit == pytest.approx(sums.gross_per_logit)


def test_a_method_without_a_ledger_has_no_alarm_but_its_gross() -> None:
    sums = map_sums([5.0, -9.0], 2.0, [])
    assert sums.alarms is None
    assert sums.columns()["alarm"] is None
    assert "absorbed_bias" not in sums.columns()
    assert sums.sentences() == []
    assert sums.gross_per_logit == 7.0


def test_a_mean_says_of_its_networks() -> None:
    sums = map_sums([1.0], 1.0, rows(0.0), networks=5, alarmed_networks=2)
    assert sums.code == "networks"
    assert sums.sentences() == ["2 of the 5 networks' own maps have an alarm"]
    assert map_sums([1.0], 1.0, rows(0.0), networks=5).code == "none"


def test_a_logit_of_0_has_no_ratio() -> None:
    assert math.isnan(map_sums([1.0], 0.0, []).gross_per_logit)


@pytest.mark.parametrize(("values", "logit"), [([np.nan], 1.0), ([1.0, np.inf], 1.0), ([1.0], np.nan)])
def test_what_is_not_finite_is_refused(values: list[float], logit: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        map_sums(values, logit, [])
    with pytest.raises(InputError, match="not finite"):
        map_sums([1.0], 1.0, rows(np.nan))


def test_words() -> None:
    said = map_sums([-8.26], 1.04, rows(9.3)).sentences()
    assert said == [
        "the map sums to -8.26, but the logit is +1.04: different signs",
        "the biases absorbed +9.3, more than the logit of +1.04",
    ]
    assert gross_words(45.2) == "gross relevance 45 times |logit|"


@pytest.mark.parametrize(("run", "arm", "agreeing"), [("eitel2019", "scratch", 8), ("eitel2019", "finetuned", 14)])
def test_what_committed_runs_must_be_caught_at(run: str, arm: str, agreeing: int) -> None:
    """In so many of 23 people the map of a network trained by the paper's protocol has the sign of its logit."""
    table = read_tsv(RUNS / run / "tables" / "sums.tsv").query("arm == @arm")
    caught = 0
    for row in table.itertuples():
        absorbed = row.logit - row.sum  # by bias, but for what epsilon took
        caught += "sign" in (map_sums([row.positive, row.negative], row.logit, rows(absorbed)).alarms or ())
    assert (len(table), len(table) - caught) == (23, agreeing)
