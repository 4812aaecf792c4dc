"""Cosine transforms of blocks by pixel phase: there, a trace shows in images that were saved with loss, too."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

BLOCK = 8
# Absolute coefficients, in pixel levels, that are counted up to.
LEVELS = (1.0, 3.0, 7.0, 14.0)
# Phases as far from the start of a block as from its end are alike: traces of up-sampling and saving are symmetric.
_FOLDED = (0, 1, 2, 3, 4, 3, 2, 1)
STATISTICS = (BLOCK**2 - 1) * (max(_FOLDED) + 1) ** 2 * len(LEVELS)
_LUMINANCE = (0.299, 0.587, 0.114)


def _at_each_place() -> Tensor:
    """The cosine transform of eight values, at each of eight places in fifteen, ``(frequency * place, 15)``."""
    transform = torch.from_numpy(dct(np.eye(BLOCK), axis=0, norm="ortho").astype(np.float32))
    places = torch.zeros(BLOCK, BLOCK, 2 * BLOCK - 1)
    for place in range(BLOCK):
        places[:, place, place : place + BLOCK] = transform
    return places.flatten(0, 1)


def _folding() -> Tensor:
    """What takes values of the 64 phases to means of the 25 that differ, ``(25, 64)``."""
    line = np.eye(max(_FOLDED) + 1)[:, _FOLDED]
    line /= line.sum(1, keepdims=True)
    return torch.from_numpy(np.einsum("ai,bj->abij", line, line).reshape(-1, BLOCK**2).astype(np.float32))


_TRANSFORM, _FOLDING = _at_each_place(), _folding()


@torch.inference_mode()
def block_statistics(pixels: np.ndarray, most: int | None = None) -> Tensor:
    """How often cosine coefficients at each phase are below each of ``LEVELS``, float32 ``(STATISTICS,)``.

    Of a block at every place of the luminance, not on the grid alone. (Holub & Fridrich, "Low-Complexity Features for
    JPEG Steganalysis Using Undecimated DCT", 2015, with their folding of phases and other levels.)

    Args:
        pixels: of an image, uint8 ``(h, w, 3)``, 16 px or more a side.
        most: about how many places to look at, in bands spread evenly over the image; None: at all.
    """
    luminance = torch.from_numpy(pixels @ np.array(_LUMINANCE, np.float32))
    rows, columns = (side // BLOCK - 1 for side in luminance.shape)  # places, in blocks
    bands = rows if most is None else min(rows, -(-most // (BLOCK**2 * columns)))
    counts = torch.zeros(len(LEVELS), BLOCK, BLOCK, BLOCK, BLOCK)
    # All bands are worked out in one place: allocating anew costs a quarter of the time.
    across = torch.empty(2 * BLOCK - 1, columns, BLOCK**2)  # frequency * place, of columns
    size = torch.empty(BLOCK**2, columns * BLOCK**2)
    by_column = size.view(BLOCK, BLOCK, columns, BLOCK, BLOCK)
    below, summed = torch.empty_like(by_column), torch.empty(counts.shape[1:])
    for band in np.linspace(0, rows - 1, bands).round().astype(int):
        strip = luminance[BLOCK * band : BLOCK * band + 2 * BLOCK - 1, : BLOCK * columns + BLOCK - 1]
        torch.matmul(strip.unfold(1, 2 * BLOCK - 1, BLOCK), _TRANSFORM.T, out=across)
        torch.mm(_TRANSFORM, across.flatten(1), out=size).abs_()
        for count, level in zip(counts, LEVELS, strict=True):
            count += torch.sum(torch.lt(by_column, level, out=below), 2, out=summed)
    # levels, then frequency and place down, and across
    by_phase = counts.permute(0, 1, 3, 2, 4).reshape(len(LEVELS), BLOCK**2, -1)[:, 1:] / (bands * columns)
    return (by_phase @ _FOLDING.T).flatten()
