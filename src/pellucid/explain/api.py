"""`pellucid.explain` and `pellucid.methods`: the public face of the floor."""

from __future__ import annotations

import math
from types import MappingProxyType

import torch
from torch import nn

from pellucid.errors import InputError, PellucidError
from pellucid.explain.gradient import gradient, input_x_gradient
from pellucid.explain.lrp import Recording, lrp_epsilon
from pellucid.explain.result import Explanation, LedgerEntry, Method
from pellucid.explain.trace import LogitRun, trace, undisturbed

__all__ = ["Explanation", "LedgerEntry", "Method", "explain", "methods"]

_METHODS = {
    method.name: method
    for method in (
        Method(
            name="lrp-epsilon",
            parameters=MappingProxyType({"epsilon": 1e-3}),
            source="Bach et al. 2015, PLOS ONE 10(7):e0130140; biases as in iNNvestigate, which Eitel 2019 used",
            summary="Share the logit out layer by layer, in proportion to what each input added to each sum.",
        ),
        Method(
            name="gradient",
            parameters=MappingProxyType({}),
            source="Simonyan et al. 2014, arXiv:1312.6034",
            summary="How much the logit changes per unit of each voxel.",
        ),
        Method(
            name="input-x-gradient",
            parameters=MappingProxyType({}),
            source="Shrikumar et al. 2017, arXiv:1605.01713",
            summary="The gradient times the voxel's value: a first-order share of the logit.",
        ),
    )
}


def methods() -> list[Method]:
    """Return every method of `explain`: its name, its parameters with their defaults, its source.

    >>> [method.name for method in methods()]
    ['lrp-epsilon', 'gradient', 'input-x-gradient']
    """
    return list(_METHODS.values())


def explain(
    model: nn.Module,
    x: torch.Tensor,
    *,
    method: str = "lrp-epsilon",
    epsilon: float | None = None,
    target: int | None = None,
) -> Explanation:
    """Say what each voxel of x added to the logit of `model`.

    With `lrp-epsilon`, the default, relevance starts as the logit itself and walks back layer by layer,
    `R_i = a_i sum_j w_ij R_j / (z_j + epsilon s(z_j))`, as in iNNvestigate's `lrp.epsilon` (Eitel 2019, §2.4.3): the
    bias is in the denominator, s(0) = +1, activations and dropout pass relevance unchanged, the winner of a max-pool
    window takes all. `pellucid.methods()` lists the others.

    Parameters
    ----------
    model
        Any module that torch.fx can follow. For `lrp-epsilon` its operations must have a rule: convolutions (transposed
        ones too), dense layers, average pools, batch norm, sums, elementwise activations, dropout, max-pools, reshapes;
        1D to 3D. If it ends in a sigmoid, the logit before it is explained.
    x
        (B, channels, ...), float32 or float64, of the model's data type and device; (B, 1, X, Y, Z) for `PaperNetwork`.
        A map does not depend on what else is in the batch.
    method
        A name from `pellucid.methods()`.
    epsilon
        The stabiliser of `lrp-epsilon`, above 0; 0.001 if not given.
    target
        Which output unit to explain; needed if the model has more than one.

    Returns
    -------
    Explanation
        `relevance` of x's shape, data type and device; `logit` (B,); `ledger`, for `lrp-epsilon`: what each layer
        received, passed on and absorbed; `paths`, for `lrp-epsilon`: which convolutions ran in the quick kernels.

    Raises
    ------
    InputError
        If an option is not known or x cannot be used.
    PellucidError
        If the model cannot be followed or an operation has no rule.

    Notes
    -----
    The model is in evaluation mode during the call and given back as it was, gradients included. On a GPU, TF32 is off.
    Memory: what the layers keep of the batch; the paper's network, fused, needs some 50 MB a volume.
    """
    chosen = _chosen(method)
    parameters = _parameters(chosen, epsilon)
    _check_input(model, x)
    with undisturbed(model, x.device):
        traced = trace(model)
        # clone: a tensor made in inference mode cannot be recorded
        x = x.detach().clone()
        if method == "lrp-epsilon":
            recording = Recording(traced)
            output = recording.run(x)
            logit, seed = _select(output, x, target)
            relevance, ledger = lrp_epsilon(recording, seed, parameters["epsilon"])
            return Explanation(relevance, logit, ledger, recording.paths)
        x.requires_grad_()
        logit, _ = _select(LogitRun(traced).run(x), x, target)
        rule = gradient if method == "gradient" else input_x_gradient
        return Explanation(rule(x, logit), logit.detach(), ())


def _chosen(name: str) -> Method:
    if name not in _METHODS:
        raise InputError("method", f"{name!r} is not known", f"Choose one of {', '.join(_METHODS)}")
    return _METHODS[name]


def _parameters(method: Method, epsilon: float | None) -> dict[str, float]:
    """Return the method's parameters, its defaults filled in."""
    given = {} if epsilon is None else {"epsilon": epsilon}
    for name in given:
        if name not in method.parameters:
            takes = ", ".join(method.parameters) or "no parameters"
            raise InputError(name, f"is not a parameter of {method.name}, which takes {takes}", "Leave it out")
    parameters = {**method.parameters, **given}
    if "epsilon" in parameters and not 0 < parameters["epsilon"] < math.inf:
        raise InputError(
            "epsilon", f"{parameters['epsilon']} is not above 0", "Give 0.001, as in the paper, or another"
        )
    return parameters


def _check_input(model: nn.Module, x: torch.Tensor) -> None:
    """Refuse an x that is not float, not finite, empty, or not of the model's data type and device."""
    if not isinstance(x, torch.Tensor) or x.dtype not in (torch.float32, torch.float64):
        kind = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
        raise InputError("x", f"is {kind}; relevance needs float32 or float64", "Convert it with x.float()")
    if x.ndim < 2 or x.numel() == 0:
        raise InputError("x", f"has shape {tuple(x.shape)}, not (batch, channels, ...)", "Add the missing axes")
    in_sum = bool(torch.isfinite(x.sum()))  # quicker, and a finite sum has finite terms
    broken = [] if in_sum else [str(b) for b, item in enumerate(x) if not bool(torch.isfinite(item).all())]
    if broken:
        raise InputError(
            "x", f"has NaN or infinity in batch item {', '.join(broken)}", "Clean these images or leave them out"
        )
    for name, parameter in model.named_parameters():
        if parameter.dtype != x.dtype or parameter.device != x.device:
            raise InputError(
                "x",
                f"is {x.dtype} on {x.device}, but {name} of the model is {parameter.dtype} on {parameter.device}",
                "Bring both together with model.to(x) or x.to(...)",
            )


def _select(output: object, x: torch.Tensor, target: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the explained logit (B,), and a tensor of the output's shape that holds it and is 0 elsewhere."""
    if not isinstance(output, torch.Tensor) or output.shape[:1] != x.shape[:1]:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise PellucidError(
            f"The model's output is {shape}, not one row per batch item ({len(x)}). Keep the batch axis first."
        )
    units = output.reshape(len(x), -1)
    if target is None and units.shape[1] != 1:
        raise InputError(
            "target", f"is missing, and the model has {units.shape[1]} output units", "Say which to explain"
        )
    unit = target or 0
    if not 0 <= unit < units.shape[1]:
        raise InputError("target", f"{unit} is not an output unit", f"Give 0 to {units.shape[1] - 1}")
    logit = units[:, unit]
    if not bool(torch.isfinite(logit).all()):
        raise PellucidError("The model's logit is NaN or infinite for a finite x. Check the model's weights.")
    seed = torch.zeros_like(units)
    seed[:, unit] = logit.detach()
    return logit, seed.reshape(output.shape)
