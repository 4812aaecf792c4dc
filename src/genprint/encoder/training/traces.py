"""Stages that leave the traces of a decoder: filters, up-sampling, noise, rounding.

Every stage maps images ``(n, 3, h, w)``, 0..1, to as many of the same size. What a designer picks comes from
``structure``, what training would from ``weights``, and what is drawn for each image from ``noise``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Rng = np.random.Generator

_ACTIVATIONS: tuple[Callable[[Tensor], Tensor], ...] = (
    F.relu,
    lambda x: F.leaky_relu(x, 0.2),
    F.silu,
    torch.tanh,
)
_BORDERS = ("constant", "reflect", "replicate")


def _normal(rng: Rng, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _near_identity(rng: Rng, outputs: int, size: int, strength: float) -> Tensor:
    """Filters (outputs, 3, size, size): each passes one channel on and adds a little of everything."""
    filters = strength * _normal(rng, outputs, 3, size, size) / (size * 3**0.5)
    for i in range(outputs):
        filters[i, i % 3 if outputs == 3 else i // (outputs // 3), size // 2, size // 2] += 1
    return filters


def _filter(x: Tensor, filters: Tensor, border: str) -> Tensor:
    margin = filters.shape[-1] // 2
    return F.conv2d(F.pad(x, (margin,) * 4, mode=border), filters)


def _strength(rng: Rng) -> float:
    return float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))


def _halve(x: Tensor, kind: str) -> Tensor:
    if kind == "stride":
        return x[:, :, ::2, ::2]
    if kind == "average":
        return F.avg_pool2d(x, 2)
    return F.interpolate(x, scale_factor=0.5, mode=kind, align_corners=False, antialias=True)


def _transposed(x: Tensor, taps: int, rng: Rng) -> Tensor:
    """Zero insertion and a kernel: the transposed convolution of most decoders, checkerboard included."""
    line = {3: [0.5, 1, 0.5], 4: [0.25, 0.75, 0.75, 0.25], 5: [0.125, 0.5, 0.75, 0.5, 0.125]}[taps]
    base = torch.outer(torch.tensor(line), torch.tensor(line))
    kernel = torch.einsum("ab,hw->abhw", torch.eye(3), base)
    kernel = kernel + _strength(rng) * _normal(rng, 3, 3, taps, taps) / (taps * 3**0.5)
    padding = (taps - 1) // 2
    return F.conv_transpose2d(x, kernel, stride=2, padding=padding, output_padding=taps % 2)


def _double(x: Tensor, kind: str, structure: Rng, weights: Rng, border: str) -> Tensor:
    if kind == "transposed":
        return _transposed(x, int(structure.choice([3, 4, 5])), weights)
    size = int(structure.choice([3, 5]))
    if kind == "sub-pixel":
        return F.pixel_shuffle(_filter(x, _near_identity(weights, 12, 3, _strength(weights)), border), 2)
    align = None if kind == "nearest" else False
    x = F.interpolate(x, scale_factor=2, mode=kind, align_corners=align)
    return _filter(x, _near_identity(weights, 3, size, _strength(weights)), border)


def autoencode(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Down-sampled zero to two times, perturbed, and up-sampled as often by a decoder's means."""
    border = str(structure.choice(_BORDERS))
    times = int(structure.choice([1, 2], p=[0.65, 0.35]))
    for _ in range(times):
        x = _halve(x, str(structure.choice(["average", "bilinear", "bicubic", "stride"])))
    if structure.random() < 0.3:
        x = x + weights.uniform(0.005, 0.06) * _normal(noise, *x.shape)
    for _ in range(times):
        kind = str(structure.choice(["transposed", "sub-pixel", "nearest", "bilinear", "bicubic"]))
        x = _double(x, kind, structure, weights, border)
        if structure.random() < 0.4:
            x = residual_block(x, structure, weights, noise)
    return x


def residual_block(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """x + convolution of an activated convolution of x, 6 or 12 channels wide."""
    border = str(structure.choice(_BORDERS))
    wide = int(structure.choice([6, 12]))
    activation = _ACTIVATIONS[int(structure.integers(len(_ACTIVATIONS)))]
    inner = _filter(x - 0.5, _normal(weights, wide, 3, 3, 3) / 3, border)
    outer = _normal(weights, 3, wide, 3, 3) / (3 * wide**0.5)
    return x + 3 * _strength(weights) * _filter(activation(inner + 0.1 * weights.standard_normal()), outer, border)


def filter_once(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """One learned filter near the identity."""
    size = int(structure.choice([3, 5]))
    return _filter(x, _near_identity(weights, 3, size, _strength(weights)), str(structure.choice(_BORDERS)))


def add_noise(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """White, smooth or brightness-dependent noise: leftovers of sampling, dequantisation, denoising."""
    kind = str(structure.choice(["white", "smooth", "signal"]))
    amplitude = float(np.exp(weights.uniform(np.log(0.002), np.log(0.04))))
    grain = _normal(noise, *x.shape)
    if structure.random() < 0.3:
        grain = grain[:, :1].expand_as(x)  # grey noise, the same in all channels
    if kind == "smooth":
        grain = F.avg_pool2d(grain, 3, 1, 1) * 3
    if kind == "signal":
        grain = grain * (0.2 + 1.6 * x.clamp(0, 1))
    return x + amplitude * grain


def smooth(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Partial smoothing, everywhere or only where there is little contrast (as a denoiser does)."""
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share: Tensor | float = weights.uniform(-0.3, 0.8)
    if structure.random() < 0.5:
        share = share * torch.exp(-((x - blurred) / weights.uniform(0.01, 0.08)).square())
    return x + share * (blurred - x)


def saturate(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """The tanh at the end of many generators, more or less driven."""
    drive = weights.uniform(0.6, 1.6)
    driven: Tensor = torch.tanh((2 * x - 1) * drive) / (2 * np.tanh(drive))
    return driven + 0.5


def mix_colours(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A small linear mix of the channels."""
    mix = torch.eye(3) + 0.04 * _normal(weights, 3, 3)
    return torch.einsum("ab,nbhw->nahw", mix, x)


def phase_gain(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A gain and an offset for each pixel phase: squeeze layers of flows, sub-pixel layers, sliding windows."""
    period = int(structure.choice([2, 4, 8]))
    reps = (1, 1, -(-x.shape[2] // period), -(-x.shape[3] // period))
    strength = 0.3 * _strength(weights)
    gain = (1 + strength * _normal(weights, 1, 3, period, period)).repeat(reps)[:, :, : x.shape[2], : x.shape[3]]
    offset = (0.3 * strength * _normal(weights, 1, 3, period, period)).repeat(reps)
    return x * gain + offset[:, :, : x.shape[2], : x.shape[3]]


def tilt_spectrum(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A smooth gain over spatial frequency, isotropic or not: a decoder's failure to keep the spectrum."""
    height, width = x.shape[2:]
    fy = torch.fft.fftfreq(height).abs().unsqueeze(1) * 2
    fx = torch.fft.rfftfreq(width).unsqueeze(0) * 2
    stretch = weights.uniform(0.5, 2) if structure.random() < 0.4 else 1.0
    radius = (fy.square() + stretch * fx.square()).sqrt().clamp(max=1.5)
    bend = weights.normal(0, 0.35) * radius + weights.normal(0, 0.35) * radius**4
    tilted: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * torch.exp(bend), s=(height, width))
    return tilted


def mix_globally(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """A low-rank, attention-like addition: every pixel gets a little of a few averages over the image."""
    rank = int(structure.choice([1, 2, 4]))
    height, width = x.shape[2:]
    read = _normal(weights, rank, height, width) / (height * width) ** 0.5
    coarse = _normal(weights, 1, 3 * rank, 8, 8)
    write = F.interpolate(coarse, size=(height, width), mode="nearest").view(rank, 3, height, width)
    weight = torch.einsum("nchw,rhw->nr", x - 0.5, read)
    return x + 0.01 * torch.einsum("nr,rchw->nchw", torch.tanh(weight), write)


def quantise_latent(x: Tensor, structure: Rng, weights: Rng, noise: Rng) -> Tensor:
    """Rounds a pyramid's detail band coarsely: vector quantisation and posterior collapse of fine detail."""
    base = F.interpolate(F.avg_pool2d(x, 2), size=x.shape[2:], mode="bilinear", align_corners=False)
    step = weights.uniform(0.01, 0.12)
    detail = torch.round((x - base) / step) * step
    return base + weights.uniform(0.6, 1.1) * detail
