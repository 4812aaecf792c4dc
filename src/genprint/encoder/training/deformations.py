"""Stages that spoil what images show rather than their finest detail: shapes, edges, textures, composition.

Good generators differ from real images, and from each other, less in filters than in how well things hang together. The
interface is that of ``traces``.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Rng = np.random.Generator


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _field(noise: Rng, x: Tensor, channels: int, cells: int) -> Tensor:
    """Smooth random maps of each image, about unit variance, ``(n, channels, h, w)``."""
    coarse = torch.from_numpy(noise.standard_normal((len(x), channels, cells, cells), dtype=np.float32))
    return F.interpolate(coarse, size=x.shape[2:], mode="bicubic", align_corners=False)


def _blur(x: Tensor, sigma: float) -> Tensor:
    reach = min(max(1, round(3 * sigma)), x.shape[2] - 1, x.shape[3] - 1)
    taps = torch.exp(-torch.arange(-reach, reach + 1.0).square() / (2 * sigma**2))
    taps = taps / taps.sum()
    x = F.pad(x, (reach,) * 4, mode="reflect")
    x = F.conv2d(x, taps.view(1, 1, -1, 1).expand(3, 1, -1, 1), groups=3)
    return F.conv2d(x, taps.view(1, 1, 1, -1).expand(3, 1, 1, -1), groups=3)


def warp(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Pixels moved along a random field of each image, coarse (bent shapes) or fine (frayed edges)."""
    height, width = x.shape[2:]
    cells = int(structure.choice([4, 8, min(height, width)]))
    reach = _log_uniform(weights, 0.1, 1.5) * min(1.0, 8 / cells)
    rows, columns = (2 * torch.arange(side) / (side - 1) - 1 for side in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    moves = _field(noise, x, 2, cells).permute(0, 2, 3, 1) * reach * 2 / torch.tensor([width - 1.0, height - 1.0])
    mode = str(structure.choice(["bilinear", "bicubic", "nearest"]))
    return F.grid_sample(x, grid + moves, mode=mode, padding_mode="reflection", align_corners=True)


def scramble(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Random phases, more or less, in a band of frequencies: its power stays, its edges do not."""
    height, width = x.shape[2:]
    radius = (torch.fft.fftfreq(height).unsqueeze(1).square() + torch.fft.rfftfreq(width).square()).sqrt() * 2
    edge = weights.uniform(0.1, 0.7)
    band = torch.sigmoid((radius - edge) / 0.05)
    if structure.random() < 0.4:
        band = 1 - band
    band[0, 0] = 0
    strength = _log_uniform(weights, 0.1, 2.0)
    white = torch.from_numpy(noise.standard_normal((len(x), 1, height, width), dtype=np.float32))
    spectrum = torch.fft.rfft2(white)
    phase = torch.atan2(spectrum.imag, spectrum.real.abs()) * 2 / np.pi  # odd in frequency: the result is real
    turned = torch.fft.rfft2(x) * torch.exp(1j * strength * band * phase)
    scrambled: Tensor = torch.fft.irfft2(turned, s=(height, width))
    return scrambled


def blend(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A little of another image: as a ghost, or in patches with soft or hard borders."""
    other = x.roll(1, 0) if structure.random() < 0.5 else x.flip(0, 3)
    if structure.random() < 0.4:
        return x + _log_uniform(weights, 0.01, 0.3) * (other - x)
    hardness = _log_uniform(weights, 2.0, 20.0)
    mask = torch.sigmoid(hardness * (_field(noise, x, 1, int(structure.choice([3, 6]))) - weights.uniform(0.5, 2.0)))
    return x + mask * (other - x)


def paint(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Towards the median of each pixel's neighbourhood: flat areas, rounded corners."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    medians = F.unfold(padded, 3).view(len(x), 3, 9, -1).median(2).values.view_as(x)
    return x + _log_uniform(weights, 0.05, 1.0) * (medians - x)


def compress(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Contrast of one octave: stronger, weaker, or bounded so that edges and texture come out alike."""
    fine = float(structure.choice([0.6, 1.0, 2.0]))
    band = _blur(x, fine) - _blur(x, 2 * fine)
    if structure.random() < 0.5:
        limit = _log_uniform(weights, 0.02, 0.2)
        return x + limit * torch.tanh(band / limit) - band
    return x + weights.uniform(-0.4, 0.4) * band


def zoom(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A crop of each image, of one size, brought back to the full size."""
    height, width = x.shape[2:]
    share = weights.uniform(0.6, 0.98)
    rows, columns = (torch.linspace(-1, 1, side) * share for side in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    shift = torch.from_numpy(noise.uniform(share - 1, 1 - share, (len(x), 1, 1, 2)).astype(np.float32))
    mode = str(structure.choice(["bilinear", "bicubic"]))
    return F.grid_sample(x, grid + shift, mode=mode, padding_mode="border", align_corners=True)
