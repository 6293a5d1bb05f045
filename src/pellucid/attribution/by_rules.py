"""Relevance by layer-wise relevance propagation: record the model, make sure that this is the model, walk back."""

from __future__ import annotations

import torch
from torch import nn

from pellucid.attribution.agreement import agree, is_own, refuse_other_function
from pellucid.attribution.checks import select
from pellucid.attribution.heads import NO_HEAD
from pellucid.attribution.logit import assert_alone, assert_finite, logit_of
from pellucid.attribution.recording import Recording
from pellucid.attribution.result import Explanation
from pellucid.attribution.rules.rule import Composite
from pellucid.attribution.trace import Trace, shortened, trace
from pellucid.attribution.walk import size_of_terms, walk
from pellucid.ground.errors import PellucidError
from pellucid.network.volume_network import is_out_of_memory, too_large


def explain_by_rules(
    model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, composite: Composite
) -> Explanation:
    """Record what torch.fx sees of the model, make sure that this is the model, and walk back by the rules.

    Parameters are those of `Method.run`; errors those of `explain`.
    """
    expected, head = None, NO_HEAD
    if not is_own(model):
        recorded, head = logit_of(model, x, units)
        expected = recorded.detach()
        del recorded  # and what autograd keeps
    traced, merged = trace(model, x), composite.from_output
    try:
        recording, logit, at_unit = _record(model, traced, x, units, expected, merged)
    except PellucidError:
        if traced.fresh:
            raise
        traced = trace(model, x, anew=True)  # the graph may depend on what nobody can compare
        recording, logit, at_unit = _record(model, traced, x, units, expected, merged)
    seed = torch.zeros_like(at_unit).masked_scatter_(at_unit == 1, logit)
    relevance, ledger = walk(recording, seed, composite)
    return Explanation(relevance, logit, ledger, recording.paths, head)


def _record(
    model: nn.Module,
    traced: Trace,
    x: torch.Tensor,
    units: torch.Tensor | None,
    expected: torch.Tensor | None,
    merged: bool,
) -> tuple[Recording, torch.Tensor, torch.Tensor]:
    """Return the recording, the logit (B,), and a tensor of the output's shape that is 1 there and 0 elsewhere.

    The logit must be the one that is `expected` of the model's own forward pass, None for Pellucid's networks.
    """
    recording = Recording(traced, own=expected is None, merged=merged)
    try:
        output = recording.run(x)
    except PellucidError:
        raise
    except Exception as error:  # of an operation that the model's own forward pass does not come to
        if is_out_of_memory(error):
            raise PellucidError(too_large(len(x))) from error
        if expected is None:
            raise
        refuse_other_function(model, traced, x, f"which fails ({shortened(error)})")
    chosen = select(output, units)
    rows = output.reshape(len(x), -1)
    logit = rows.gather(1, chosen[:, None])[:, 0]
    assert_finite(logit)
    at_unit = torch.zeros_like(rows).scatter_(1, chosen[:, None], 1.0).reshape(output.shape)
    if expected is not None:
        size = size_of_terms(recording, at_unit)
        if not agree(logit, expected, size):
            worst = int((logit - expected).abs().argmax())
            what = f"with logit {float(logit[worst]):.6g} instead of {float(expected[worst]):.6g}"
            refuse_other_function(model, traced, x, what)
        assert_alone(model, x, units, expected, size)
    return recording, logit, at_unit
