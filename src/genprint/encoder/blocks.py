"""Cosine transforms of blocks by pixel phase: there, a trace shows in images that were saved with loss, too."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct

BLOCK = 8
# Absolute coefficients, in pixel levels, that are counted up to.
LEVELS = (1.0, 3.0, 7.0, 14.0)
# Phases as far from the start of a block as from its end are alike: traces of up-sampling and saving are symmetric.
_FOLDED = (0, 1, 2, 3, 4, 3, 2, 1)
STATISTICS = (BLOCK**2 - 1) * (max(_FOLDED) + 1) ** 2 * len(LEVELS)
_LUMINANCE = np.array((0.299, 0.587, 0.114), np.float32)
# Pixels in a line that the blocks at eight places lie in.
_SPAN = 2 * BLOCK - 1


def _at_each_place() -> np.ndarray:
    """The cosine transform of eight values, at each of eight places in fifteen, ``(frequency * place, 15)``."""
    transform = dct(np.eye(BLOCK), axis=0, norm="ortho").astype(np.float32)
    places = np.zeros((BLOCK, BLOCK, _SPAN), np.float32)
    for place in range(BLOCK):
        places[:, place, place : place + BLOCK] = transform
    return places.reshape(-1, _SPAN)


def _folding() -> np.ndarray:
    """What takes values of the 64 phases to means of the 25 that differ, ``(64, 25)``."""
    line = np.eye(max(_FOLDED) + 1)[:, _FOLDED]
    line /= line.sum(1, keepdims=True)
    folding: np.ndarray = np.einsum("ai,bj->ijab", line, line).reshape(BLOCK**2, -1).astype(np.float32)
    return folding


_TRANSFORM, _FOLDING = _at_each_place(), _folding()


def block_statistics(pixels: np.ndarray, most: int | None = None) -> np.ndarray:
    """How often cosine coefficients at each phase are below each of ``LEVELS``, float32 ``(STATISTICS,)``.

    Of a block at every place of the luminance, not on the grid alone. (Holub & Fridrich, "Low-Complexity Features for
    JPEG Steganalysis Using Undecimated DCT", 2015, with their folding of phases and other levels.)

    Args:
        pixels: of an image, uint8 ``(h, w, 3)``, 16 px or more a side.
        most: about how many places to look at, in bands spread evenly over the image; None: at all.
    """
    luminance = pixels @ _LUMINANCE
    rows, columns = (side // BLOCK - 1 for side in luminance.shape)  # places, in blocks
    bands = rows if most is None else min(rows, -(-most // (BLOCK**2 * columns)))
    # All bands are worked out in one place, and counted in the narrowest numbers: time goes into moving them.
    across = np.empty((_SPAN * columns, BLOCK**2), np.float32)
    size = np.empty((BLOCK**2, columns * BLOCK**2), np.float32)
    below = np.empty(size.shape, bool)
    counts = np.zeros((len(LEVELS), *size.shape), np.min_scalar_type(bands))
    for band in np.linspace(0, rows - 1, bands).round().astype(int):
        strip = luminance[BLOCK * band : BLOCK * band + _SPAN, : BLOCK * columns + BLOCK - 1]
        windows = sliding_window_view(strip, _SPAN, axis=1)[:, ::BLOCK].reshape(-1, _SPAN)
        np.matmul(windows, _TRANSFORM.T, out=across)
        np.matmul(_TRANSFORM, across.reshape(_SPAN, -1), out=size)
        np.abs(size, out=size)
        for count, level in zip(counts, LEVELS, strict=True):
            np.less(size, level, out=below)
            count += below.view(np.uint8)  # as bool, it would be converted first, slowly
    # levels, then frequency and place down, column of blocks, frequency and place across
    each = counts.reshape(len(LEVELS), BLOCK, BLOCK, columns, BLOCK, BLOCK).sum(3, dtype=np.float32)
    by_phase = each.transpose(0, 1, 3, 2, 4).reshape(len(LEVELS), BLOCK**2, -1)[:, 1:] / np.float32(bands * columns)
    statistics: np.ndarray = (by_phase @ _FOLDING).ravel()
    return statistics
