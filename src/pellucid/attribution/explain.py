"""`pellucid.explain` and `pellucid.methods`: the public face of the floor."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from pellucid.attribution.agreement import is_own
from pellucid.attribution.backward_hooks import gradients_unchanged
from pellucid.attribution.checks import Target, check_input, check_model, units_of
from pellucid.attribution.method import Method
from pellucid.attribution.methods import METHODS, find_method
from pellucid.attribution.result import Explanation, LedgerEntry
from pellucid.attribution.undisturbed import attributes_kept, undisturbed
from pellucid.ground.errors import PellucidError

__all__ = ["Explanation", "LedgerEntry", "Method", "explain", "methods"]


def methods() -> list[Method]:
    """Return every method of `explain`, its parameters at their defaults.

    >>> [method.name for method in methods()]
    ['gradient', 'input-x-gradient', 'lrp-epsilon', 'lrp-rules', 'sensitivity']
    """
    return [method() for method in METHODS.values()]


def explain(
    model: nn.Module,
    x: torch.Tensor,
    *,
    method: str | Method | type[Method] = "lrp-epsilon",
    target: Target = None,
    **parameters: Any,
) -> Explanation:
    """Say what each voxel of x added to the logit of `model`.

    With `lrp-epsilon`, the default, relevance starts as the logit itself and walks back layer by layer,
    `R_i = a_i sum_j w_ij R_j / (z_j + epsilon s(z_j))`, as in iNNvestigate's `lrp.epsilon` (Eitel 2019, §2.4.3): the
    bias is in the denominator, s(0) = +1, activations and dropout pass relevance unchanged, the winner of a max-pool
    window takes all. `pellucid.methods()` lists the others.

    Parameters
    ----------
    model
        Any module. For `lrp-epsilon` torch.fx must be able to follow it and its operations must have a rule:
        convolutions (transposed ones too), dense layers, average pools, batch norm, sums, elementwise activations,
        dropout, max-pools, reshapes; 1D to 3D. If it ends in a sigmoid or softmax, the logit before that is explained.
    x
        (B, channels, ...), float32 or float64, of the model's data type and device; (B, 1, X, Y, Z) for `PaperNetwork`.
        A map does not depend on what else is in the batch: models whose items meet are refused for more than one.
    method
        A name from `pellucid.methods()`, a method from there or of your own, or where the class of one is,
        `package.module:Class`.
    target
        Which output unit to explain, one for all items or, as a list or tensor, one for each; needed if the model has
        more than one.
    **parameters
        Parameters of the method, such as `epsilon` of `lrp-epsilon`: those that it lists, and no others.

    Returns
    -------
    Explanation
        `relevance` of x's shape, data type and device; `logit` (B,); `ledger`, for LRP: what each layer
        received, passed on and absorbed; `paths`, for LRP: which convolutions ran in the quick kernels;
        `head`: the sigmoid or softmax that was passed over.

    Raises
    ------
    InputError
        If a method or parameter is not known, or x cannot be used.
    PellucidError
        If the model cannot be followed or an operation has no rule; if torch.fx sees another function than the model
        computes; if a backward hook changes a gradient; if relevance does not add up in a layer, to 1e-3 of all that
        the layer received and handed on (1e-8 in float64), or in an item; if the map is not finite.

    Notes
    -----
    The model is in evaluation mode during the call and given back as it was, gradients included. On a GPU, TF32 is off.
    Threads may explain side by side. A model in training mode is switched for the while: no other thread should use it.
    Memory: what the layers keep of the batch; the paper's network, fused, needs some 50 MB a volume.
    """
    chosen = find_method(method).with_parameters(parameters)
    check_model(model)
    x = check_input(model, x)
    units = units_of(target, len(x))
    with undisturbed(model, x.device), gradients_unchanged(model), ExitStack() as stack:
        if not is_own(model):
            stack.enter_context(attributes_kept(model))
        # clone: a tensor made in inference mode cannot be recorded
        result = chosen.run(model, x.detach().clone(), units)
    in_sum = bool(torch.isfinite(result.relevance.sum()))  # quicker, and a finite sum has finite terms
    if not in_sum and not bool(torch.isfinite(result.relevance).all()):
        raise PellucidError(
            f"The map of {chosen.name} is not finite. Check the model's weights, or take float64: model.double() and "
            "x.double()."
        )
    return result
