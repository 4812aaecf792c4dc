"""Tiles: which parts of an image the encoder looks at."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from genprint.images.decoding import Image

TILE, _GRID = 32, 8


def cut_tiles(image: Image, count: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of an image at native resolution, uint8 ``(k, h, w, 3)``, and the share of each in the image's mean.

    An image without a side over 32 px is its own tile. Of others, ``count`` tiles of 32 px are drawn: where they lie
    follows from the image's content and the seed, in steps of 8 px, so that the pixel phases of up-sampling and the
    blocks of JPEG lie alike in all; one that is drawn twice comes once, with twice the share. A count of None takes
    every tile of a grid of 32 px, each pixel once; what is left at the right and the bottom is in none.
    """
    sides = image.pixels.shape[:2]
    height, width = (min(side, TILE) for side in sides)
    if count is None or sides == (height, width):
        rows, columns = sides[0] // height, sides[1] // width
        whole = image.pixels[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)
        tiles = whole.swapaxes(1, 2).reshape(-1, height, width, 3)
        return tiles, np.full(len(tiles), 1 / len(tiles), np.float32)
    rng = np.random.default_rng([seed, int(image.sha256[:16], 16)])
    drawn = [_GRID * rng.integers(max(0, side - TILE) // _GRID + 1, size=count) for side in sides]
    (tops, lefts), times = np.unique(drawn, axis=1, return_counts=True)
    tiles = sliding_window_view(image.pixels, (height, width), axis=(0, 1))[tops, lefts]
    return tiles.transpose(0, 2, 3, 1), (times / count).astype(np.float32)
