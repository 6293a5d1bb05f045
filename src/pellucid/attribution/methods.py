"""The methods of `explain`, each an entry that says what it is and computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import nn

from pellucid.attribution.agreement import agree, is_own, refuse_meeting_items, refuse_other_function
from pellucid.attribution.checks import select
from pellucid.attribution.forward import run_forward
from pellucid.attribution.gradient import OverwrittenError, gradient, input_x_gradient, sensitivity
from pellucid.attribution.heads import NO_HEAD, Head
from pellucid.attribution.recording import Recording
from pellucid.attribution.result import Explanation, Method
from pellucid.attribution.rules import total
from pellucid.attribution.trace import Trace, shortened, trace
from pellucid.attribution.walk import lrp_epsilon, size_of_terms
from pellucid.ground.errors import PellucidError
from pellucid.network.volume_network import is_out_of_memory, too_large

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_PER_UNIT = "logit per unit of the image"


def _run_lrp(
    model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, parameters: Mapping[str, float]
) -> Explanation:
    """Record what torch.fx sees of the model, make sure that this is the model, and walk back."""
    expected, head = None, NO_HEAD
    if not is_own(model):
        recorded, head = _logit(model, x, units)
        expected = recorded.detach()
        del recorded  # and what autograd keeps
    traced = trace(model, x)
    try:
        recording, logit, at_unit = _record(model, traced, x, units, expected)
    except PellucidError:
        if traced.fresh:
            raise
        traced = trace(model, x, anew=True)  # the graph may depend on what nobody can compare
        recording, logit, at_unit = _record(model, traced, x, units, expected)
    seed = torch.zeros_like(at_unit).masked_scatter_(at_unit == 1, logit)
    relevance, ledger = lrp_epsilon(recording, seed, parameters["epsilon"])
    return Explanation(relevance, logit, ledger, recording.paths, head)


def _record(
    model: nn.Module, traced: Trace, x: torch.Tensor, units: torch.Tensor | None, expected: torch.Tensor | None
) -> tuple[Recording, torch.Tensor, torch.Tensor]:
    """Return the recording, the logit (B,), and a tensor of the output's shape that is 1 there and 0 elsewhere.

    The logit must be the one that is `expected` of the model's own forward pass, None for Pellucid's networks.
    """
    recording = Recording(traced, own=expected is None)
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
    _assert_finite(logit)
    at_unit = torch.zeros_like(rows).scatter_(1, chosen[:, None], 1.0).reshape(output.shape)
    if expected is not None:
        size = size_of_terms(recording, at_unit)
        if not agree(logit, expected, size):
            worst = int((logit - expected).abs().argmax())
            what = f"with logit {float(logit[worst]):.6g} instead of {float(expected[worst]):.6g}"
            refuse_other_function(model, traced, x, what)
        _assert_alone(model, x, units, expected, size)
    return recording, logit, at_unit


def _by_gradient(rule: Rule) -> Callable[..., Explanation]:
    """Return what runs a method that needs nothing but the gradient: through the model's own forward pass."""

    def run(
        model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, parameters: Mapping[str, float]
    ) -> Explanation:
        x.requires_grad_()
        try:
            logit, head = _logit(model, x, units)
            relevance = rule(x, logit)
        except OverwrittenError:
            # PyTorch's own `allow_mutation_on_saved_tensors` may take one tensor for another (2.13).
            with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept):
                logit, head = _logit(model, x, units)
                relevance = rule(x, logit)
        if not is_own(model):
            by_voxel = relevance if rule is input_x_gradient else x.detach() * relevance
            _assert_alone(model, x, units, logit.detach(), total(by_voxel.abs()))
        return Explanation(relevance, logit.detach(), (), head=head)

    return run


def _logit(model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> tuple[torch.Tensor, Head]:
    """Return the logit (B,) that the model's own forward pass gives, recorded by autograd, and what follows it."""
    forward = run_forward(model, x.detach().requires_grad_() if not x.requires_grad else x)
    logit = forward.select(select(forward.output, units))
    _assert_finite(logit)
    return logit, forward.head


def _assert_finite(logit: torch.Tensor) -> None:
    if not bool(torch.isfinite(logit).all()):
        raise PellucidError("The model's logit is NaN or infinite for a finite x. Check the model's weights.")


def _assert_alone(
    model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, logit: torch.Tensor, size: torch.Tensor
) -> None:
    """Refuse a model that gives the first item another logit in this batch than alone."""
    if len(x) == 1:
        return
    try:
        alone = _logit(model, x[:1], None if units is None else units[:1])[0].detach()
    except PellucidError as error:
        refuse_meeting_items(model, f"it fails ({error})")
    if not agree(alone, logit[:1], size[:1]):
        refuse_meeting_items(model, f"its logit is {float(alone):.6g}, in the batch {float(logit[0]):.6g}")


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                name="lrp-epsilon",
                parameters=MappingProxyType({"epsilon": 1e-3}),
                source="Bach et al. 2015, PLOS ONE 10(7):e0130140; biases as in iNNvestigate, which Eitel 2019 used",
                summary="Share the logit out layer by layer, in proportion to what each input added to each sum.",
                units="logit",
                run=_run_lrp,
            ),
            Method(
                name="gradient",
                parameters=MappingProxyType({}),
                source="Simonyan et al. 2014, arXiv:1312.6034",
                summary="How much the logit changes per unit of each voxel.",
                units=_PER_UNIT,
                run=_by_gradient(gradient),
            ),
            Method(
                name="sensitivity",
                parameters=MappingProxyType({}),
                source="Eitel 2019, Eq. 1; Simonyan et al. 2014, arXiv:1312.6034",
                summary="How much the logit changes per unit of each voxel, in whichever direction.",
                units=_PER_UNIT,
                run=_by_gradient(sensitivity),
            ),
            Method(
                name="input-x-gradient",
                parameters=MappingProxyType({}),
                source="Shrikumar et al. 2017, arXiv:1605.01713",
                summary="The gradient times the voxel's value: a first-order share of the logit.",
                units="logit",
                run=_by_gradient(input_x_gradient),
            ),
        )
    }
)
