"""The set encoder's network: a tower for images, pooling over the set, a head for the set."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from genprint.encoder.blocks import STATISTICS
from genprint.encoder.pooling import masked_moments, pool
from genprint.fingerprints.residuals import Pixels, front_end

# Front ends of the tower. High-pass residuals are faint beside the pixels; the gains bring both to the same order.
_GAINS = {"raw": 1.0, "high_pass": 4 / 127.5}
_SPREAD_FLOOR = 1e-4


class _SpatialMoments(torch.autograd.Function):
    """Mean and mean square of each map, float32 ``(n, c)``.

    Its own backward pass, in one sweep over the maps: autograd's, through ``var`` in float32, took longer than the
    convolutions.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps)
        pixels = _by_pixel(maps)
        # Not vector_norm: that takes eight times as long.
        return pixels.mean(1), pixels.square().mean(1)

    @staticmethod
    def backward(ctx: Any, by_mean: Tensor, by_square: Tensor) -> Tensor:
        (maps,) = ctx.saved_tensors
        pixels = maps[0, 0].numel()
        offset, slope = ((g / pixels).to(maps.dtype)[:, :, None, None] for g in (by_mean, 2 * by_square))
        return torch.addcmul(offset, slope, maps)


def _by_pixel(maps: Float[Tensor, "n c y x"]) -> Float[Tensor, "n yx c"]:
    """Each pixel's values, float32; of maps in channels-last order, a view."""
    return maps.float().permute(0, 2, 3, 1).flatten(1, 2)


@lru_cache(64)
def _pixel_phases(height: int, width: int, device: torch.device) -> Float[Tensor, "4 yx"]:
    """What takes pixels to their mean, and to their covariances with the parity of row, of column, and of both."""
    with torch.inference_mode(False):  # they are kept, for training perhaps
        rows, columns = (1 - 2.0 * (torch.arange(side, device=device) % 2) for side in (height, width))
        rows, columns = rows.unsqueeze(1).expand(height, width), columns.expand(height, width)
        parities = torch.stack([rows, columns, rows * columns]).flatten(1)
        parities = parities - parities.mean(1, keepdim=True)  # of an odd side, one parity has more pixels
        return torch.cat([torch.ones_like(parities[:1]), parities]) / (height * width)


@lru_cache(64)
def _pairs(maps: int, device: torch.device) -> Tensor:
    """Where each pair of maps stands in a matrix of all, row after row."""
    with torch.inference_mode(False):
        rows, columns = torch.triu_indices(maps, maps, 1, device=device).unbind()
        return maps * rows + columns


class Tower(nn.Module):
    """Image to features: 3x3 convolutions, the first two at full resolution, where the trace is.

    Spatial mean and standard deviation of *every* layer's maps, and the correlations of the first layers' maps with
    each other and, perhaps, with pixel phases, make the statistics of an image, so any size from 16 px works;
    ``project`` takes them to features. Early layers keep traces that the last one has learned to forget.

    Args:
        channels: maps of each layer.
        features: of an image.
        correlated: layers, from the first on, whose maps' correlations are statistics.
        front_ends: what the first layer sees, side by side: 'raw', 'high_pass' or both.
        relative: whether ratios and logarithms of the moments are statistics too. A trace may multiply what is there,
            and ``project`` is linear; but an untrained tower learns faster without.
        phases: whether the correlated layers' maps are correlated with pixel phases too.
    """

    def __init__(
        self, channels: Sequence[int], features: int, correlated: int, front_ends: Sequence[str], relative: bool,
        phases: bool,
    ):  # fmt: skip
        super().__init__()
        self.relative, self.phases = relative, phases
        self.correlated = correlated
        self.front_ends = [(front_end(name), _GAINS[name]) for name in front_ends]
        wide = [3 * len(front_ends), *channels]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, 2 if i in (2, 4, 6) else 1, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            )
            for i, (before, after) in enumerate(pairwise(wide))
        )
        for layer in self.layers:
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        pairs = sum(maps * (maps - 1) // 2 + 3 * maps * phases for maps in channels[:correlated])
        self.project = nn.Linear((4 if relative else 2) * sum(channels) + pairs, features)

    def statistics(self, pixels: Pixels) -> Float[Tensor, "n s"]:
        """Moments of each layer's maps, absolute and relative; for the first layers, their correlations and phases."""
        artifacts = torch.cat([gain * view(pixels) for view, gain in self.front_ends], dim=1)
        maps = artifacts.contiguous(memory_format=torch.channels_last)
        statistics = []
        for i, layer in enumerate(self.layers):
            maps = layer(maps)
            if i < self.correlated:
                statistics += self._with_correlations(maps)
            else:
                statistics += self._moments(*_SpatialMoments.apply(maps))
        return torch.cat(statistics, dim=1)

    def _moments(self, mean: Tensor, square: Tensor) -> list[Tensor]:
        """Mean and spread of each map, then perhaps their ratio and the logarithm."""
        spread = ((square - mean.square()).clamp(min=0) + _SPREAD_FLOOR).sqrt()
        return [mean, spread, mean / spread, spread.log()] if self.relative else [mean, spread]

    def _with_correlations(self, maps: Float[Tensor, "n c y x"]) -> list[Tensor]:
        """Moments, the correlation of each pair of maps over their pixels, and perhaps that of each with phases.

        Up-sampling differs by pixel phase. All sums over pixels are matrix products.
        """
        with torch.autocast(maps.device.type, enabled=False):  # products less products of means: needs all digits
            pixels, size = _by_pixel(maps), maps.shape[2:]
            products = pixels.transpose(1, 2) @ pixels / pixels.shape[1]
            by_phase = _pixel_phases(*size, maps.device)[: 4 if self.phases else 1] @ pixels
            mean, parities = by_phase[:, 0], by_phase[:, 1:]
            moments = self._moments(mean, products.diagonal(dim1=1, dim2=2))
            spread = moments[1]
            covariance = products - mean.unsqueeze(2) * mean.unsqueeze(1)
            correlations = covariance / (spread.unsqueeze(2) * spread.unsqueeze(1))
            pairs = correlations.flatten(1).index_select(1, _pairs(maps.shape[1], maps.device))
            return [*moments, pairs, (parities / spread.unsqueeze(1)).transpose(1, 2).flatten(1)]

    def fused(self) -> Tower:
        """The same in evaluation mode, faster: every normalisation is part of the convolution before it."""
        fused = copy.copy(self)
        layers = [nn.Sequential(fuse_conv_bn_eval(layer[0], layer[1]), layer[2]) for layer in self.layers]  # type: ignore[index]
        fused._modules = {**self._modules, "layers": nn.ModuleList(layers)}
        return fused


class SetNetwork(nn.Module):
    """phi (one tower or several side by side), masked moment pooling, rho (head): a set of images to a unit vector.

    With ``blocks``, what ``genprint.encoder.blocks`` counts in the whole image is a further part of its features.

    Source: the set encoding of Song & AbdAlmageed, arXiv 2206.02067, after Zaheer et al., "Deep Sets" (2017).
    """

    towers: Sequence[Tower]

    def __init__(
        self,
        channels: Sequence[int] = (32, 32, 64, 64, 128, 128, 128, 128),
        features: int = 512,
        dim: int = 96,
        correlated: int = 2,
        front_ends: Sequence[Sequence[str]] = (("high_pass",),),
        relative: bool = False,
        phases: bool = False,
        blocks: bool = False,
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": list(channels), "features": features, "dim": dim, "correlated": correlated,
            "front_ends": [list(views) for views in front_ends], "relative": relative, "phases": phases,
            "blocks": blocks,
        }  # fmt: skip
        self.towers = nn.ModuleList(  # type: ignore[assignment]
            Tower(channels, features, correlated, views, relative, phases) for views in front_ends
        )
        self.blocks = nn.Linear(STATISTICS, features) if blocks else None
        moments = 2 * features * self.parts
        self.head = nn.Sequential(nn.Linear(moments, 192), nn.ReLU(inplace=True), nn.Linear(192, dim))

    @property
    def parts(self) -> int:
        """How many equal parts features come in: one of each tower, and of the blocks."""
        return len(self.towers) + (self.blocks is not None)

    def with_layers_of(self, towers: Sequence[Tower]) -> SetNetwork:
        """This network with the layers of other towers, as far as both go."""
        for tower, given in zip(self.towers, towers, strict=True):
            for layer, trained in zip(tower.layers, given.layers, strict=False):
                layer.load_state_dict(trained.state_dict())
        return self

    def features(self, pixels: Pixels) -> Float[Tensor, "n d"]:
        """Features of single images by the towers, one's after the other's."""
        return self.project(self.statistics(pixels))

    def statistics(self, pixels: Pixels) -> Float[Tensor, "n s"]:
        """What features of single images follow from, one tower's after the other's."""
        return torch.cat([tower.statistics(pixels) for tower in self.towers], dim=1)

    def project(self, statistics: Float[Tensor, "n s"]) -> Float[Tensor, "n d"]:
        """Features from statistics. It is linear: means of tiles' statistics give means of their features."""
        by_tower = zip(self.towers, statistics.chunk(len(self.towers), dim=1), strict=True)
        return torch.cat([tower.project(part) for tower, part in by_tower], dim=1)

    def fused(self) -> SetNetwork:
        """The same in evaluation mode, with towers that are faster (``Tower.fused``)."""
        fused = copy.copy(self)
        towers = nn.ModuleList(tower.fused() for tower in self.towers)
        fused._modules = {**self._modules, "towers": towers}
        return fused

    def embed(self, mean: Float[Tensor, "sets d"], variance: Float[Tensor, "sets d"]) -> Float[Tensor, "sets e"]:
        """Unit vector of each set from the moments of its images' features."""
        return F.normalize(self.head(pool(mean, variance)), dim=1)

    def forward(self, features: Float[Tensor, "sets n d"], mask: Bool[Tensor, "sets n"]) -> Float[Tensor, "sets e"]:
        """Unit vectors of ragged sets, padded to the largest; ``mask`` says what is an image."""
        return self.embed(*masked_moments(features, mask))
