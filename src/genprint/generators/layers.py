"""Layers that reference generators share."""

from __future__ import annotations

import torch
from torch import nn

#: kinds of up-sampling: each leaves its own trace
UPSAMPLINGS = ("transposed", "nearest", "shuffle")


def upsampling(kind: str, before: int, after: int, bias: bool = True) -> list[nn.Module]:
    """Modules that double the side, ``before`` channels to ``after``.

    Args:
        kind: 'transposed' (4x4 transposed convolution), 'nearest' (nearest neighbour, then a 3x3 convolution;
            Odena et al., 2016) or 'shuffle' (3x3 convolution, then sub-pixel shuffle; Shi et al., 2016).
        before: channels that come in.
        after: channels that go out.
        bias: whether the convolution has one.

    Raises:
        ValueError: no such kind.
    """
    if kind == "transposed":
        return [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)]
    if kind == "nearest":
        return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, 1, 1, bias=bias)]
    if kind == "shuffle":
        return [nn.Conv2d(before, 4 * after, 3, 1, 1, bias=bias), nn.PixelShuffle(2)]
    raise ValueError(f"no up-sampling {kind!r}; there are: {', '.join(UPSAMPLINGS)}")


class ResBlock(nn.Module):
    """x + convolution(norm, SiLU, convolution, norm, SiLU)."""

    def __init__(self, channels: int):
        super().__init__()
        self.inner = nn.Sequential(
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, 1, 1),
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, 1, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.inner(x)
        return x + added
