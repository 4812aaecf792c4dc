"""Descendants of a generator that need no training: quantised, pruned, another sampler."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from genprint.generators.base import Generator


@torch.no_grad()
def _on_weights(generator: Generator, change: Callable[[Tensor], Tensor]) -> Generator:
    """A copy with every matrix and filter changed; vectors (biases, norms) stay."""
    changed = copy.deepcopy(generator)
    for name, parameter in changed.named_parameters():
        if parameter.dim() > 1 and name in changed.needed_to_sample():
            parameter.copy_(change(parameter))
    return changed


def quantised(generator: Generator, bits: int = 8) -> Generator:
    """Weights rounded to integers, symmetric, one scale for each first index, and scaled back.

    That is an output channel, but an input channel of a transposed convolution.
    """
    most = 2 ** (bits - 1) - 1

    def change(weight: Tensor) -> Tensor:
        scale: Tensor = weight.abs().flatten(1).amax(1).clamp(min=1e-8).view(-1, *[1] * (weight.dim() - 1)) / most
        rounded: Tensor = (weight / scale).round()
        return rounded * scale

    return _on_weights(generator, change)


def pruned(generator: Generator, share: float = 0.3) -> Generator:
    """The smallest weights of each layer set to zero (magnitude pruning; Han et al., 2015)."""

    def change(weight: Tensor) -> Tensor:
        limit = weight.abs().flatten().kthvalue(max(1, int(share * weight.numel()))).values
        return torch.where(weight.abs() > limit, weight, torch.zeros_like(weight))

    return _on_weights(generator, change)


#: Changes that follow from the parent's weights alone: no other weights are kept.
DERIVED: dict[str, Callable[[Generator], Generator]] = {"int8": quantised, "pruned": pruned}


def with_arguments(generator: Generator, **arguments: object) -> Generator:
    """The same weights with another sampler, temperature or number of steps."""
    changed = type(generator)(**{**generator.config, **arguments})
    changed.load_state_dict(generator.state_dict())
    return changed.eval()
