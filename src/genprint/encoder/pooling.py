"""Permutation-invariant pooling over sets of different size."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Keeps the gradient of the square root finite for sets of one image, whose variance is zero.
_VARIANCE_FLOOR = 1e-4


def masked_moments(
    features: Float[Tensor, "sets n d"], mask: Bool[Tensor, "sets n"]
) -> tuple[Float[Tensor, "sets d"], Float[Tensor, "sets d"]]:
    """Mean and (population) variance of each set's features; padding is wherever ``mask`` is False.

    Example:
        >>> features = torch.tensor([[[1.0], [3.0], [99.0]]])
        >>> mean, variance = masked_moments(features, torch.tensor([[True, True, False]]))
        >>> mean.item(), variance.item()
        (2.0, 1.0)
    """
    weights = mask.unsqueeze(-1).to(features.dtype)
    count = weights.sum(1)
    mean = (features * weights).sum(1) / count
    variance = ((features - mean.unsqueeze(1)).square() * weights).sum(1) / count
    return mean, variance


def pool(mean: Float[Tensor, "sets d"], variance: Float[Tensor, "sets d"]) -> Float[Tensor, "sets 2*d"]:
    """What the head sees of a set: mean and standard deviation, side by side."""
    return torch.cat([mean, (variance + _VARIANCE_FLOOR).sqrt()], dim=1)
