"""What was done to the images of a set before they came, by their pixels: an earlier JPEG, its grid and quality.

A set shares one history; each image says little of it, the set much. What the files' headers say is given, and what
came before that is looked for.

Example:
    >>> fields = np.random.default_rng(0).normal(128, 30, (1, 96, 96, 3)).clip(5, 250).astype(np.uint8)
    >>> found = history(Chain((Jpeg(80), Shift(5, 3)))(fields))
    >>> found.grid, found.processing.name
    ((3, 5), 'JPEG 80, shift 5,3')
    >>> history(fields).processing is None
    True
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from genprint.images import quantisation
from genprint.images.processing import Chain, Jpeg, Processing, Shift, WebP

#: Images that are looked at, at most.
MOST = 32
_LEAST_SIDE = 32
# Log likelihood ratios (nats) from which a grid is named: of images that were never saved as JPEG, one in a hundred
# reaches as much at most (benchmarks/history.py).
_CLEARLY = 40.0
# The same of a JPEG before one on the same grid, and besides by block: there, the density of coefficients is estimated,
# and what it is off by adds up over blocks.
_CLEARLY_BY_BLOCK = 0.2
# By how much a quality has to explain the images better than those that are more than 2 off.
_BETTER = 8.0
# What the last saving itself leaves on other grids is measured, and counts so many times.
_LAST = 3.0
# On grids that share rows or columns with the last one, it leaves more: that share of what speaks for the last one.
_SHARED = 0.03
# A part of the grid's mesh on which an image is saved again to see what the last saving leaves.
_ASIDE = (3, 5)
# Variance of the third difference of halved chroma: 0.7 to 2.4 was seen; 3.1 and more of chroma that was not halved.
_ROUNDED, _SIDE = 2.6, 256
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


@dataclass(frozen=True)
class History:
    """What is known of a set's images before they came.

    Attributes:
        images: that were looked at.
        saved: how the files were saved, if with loss; as given.
        grid: where, in pixels down and right of an image's corner, a block of an earlier JPEG begins; None if no such
            is seen.
        jpeg: the earlier JPEG; None if there is none, or its quality is not clear.
        evidence: log likelihood ratio (nats) for the grid against no earlier JPEG.
        clarity: the same for the quality against all that are more than 2 off.
    """

    images: int
    saved: Processing | None = None
    grid: tuple[int, int] | None = None
    jpeg: Jpeg | None = None
    evidence: float = 0.0
    clarity: float = 0.0

    @property
    def processing(self) -> Processing | None:
        """What makes originals alike, the last saving too if there was one; None if nothing earlier is known."""
        if self.grid is None or self.jpeg is None:
            return None
        down, right = (-offset % 8 for offset in self.grid)
        cut = (Shift(down, right),) if down or right else ()
        steps: tuple[Processing, ...] = (self.jpeg, *cut, *((self.saved,) if self.saved else ()))
        return Chain(steps) if steps[1:] else self.jpeg


def history(images: Iterable[np.ndarray], saved: Processing | None = None) -> History:
    """What was done to the images of a set before they were saved as they are, as far as their pixels tell.

    Args:
        images: uint8 ``(h, w, 3)``, of one history; the middle of the first ``MOST`` of at least 32 px is looked at.
        saved: how their files were saved, by their headers: a ``Jpeg`` or ``WebP``; None of lossless ones.
    """
    large = (pixels for pixels in images if min(pixels.shape[:2]) >= _LEAST_SIDE)
    usable = [quantisation.middle(pixels) for pixels in islice(large, MOST)]
    if not usable:
        return History(0, saved)
    lossy = saved if isinstance(saved, Jpeg | WebP) else None
    # What the last saving leaves by itself: the same images, saved so once more with all earlier grids moved away.
    aside = [lossy(pixels[None, _ASIDE[0] :, _ASIDE[1] :])[0] for pixels in usable] if lossy else []
    judged = _clear_steps(
        sum(quantisation.all_grids(pixels) for pixels in usable),
        sum(quantisation.all_grids(pixels) for pixels in aside),
    )
    by_grid = quantisation.by_quality(judged, quantisation.JUDGES).max(0)
    if isinstance(lossy, Jpeg):
        by_grid[0] = -1  # there is one, and it is known
    grid = divmod(int(by_grid.argmax()), 8)
    steps = _clear_steps(
        sum(quantisation.one_grid(pixels, grid) for pixels in usable),
        sum(quantisation.one_grid(pixels, grid) for pixels in aside),
    )
    explained, needed = quantisation.by_quality(steps, np.arange(quantisation.MODES)), _CLEARLY
    if isinstance(lossy, Jpeg):
        last = np.asarray(sum(quantisation.one_grid(pixels, (0, 0)) for pixels in usable))
        if 0 in grid:
            needed += _SHARED * float(quantisation.by_step(last[1:]).max(0).sum())
        on_grid, needed_on_grid = _on_grid(usable, aside, last, lossy)
        if on_grid.max() - needed_on_grid > explained.max() - needed:
            explained, needed, grid = on_grid, needed_on_grid, (0, 0)
    evidence = float(explained.max())
    if evidence < needed:
        return History(len(usable), saved)
    quality, clarity = _quality(explained)
    if clarity < _BETTER:
        return History(len(usable), saved, grid, None, evidence, clarity)
    if lossy:
        jpeg = Jpeg(quality, lossy.subsampling if isinstance(lossy, Jpeg) else "4:2:0")
    else:
        jpeg = Jpeg(quality, _subsampling(usable, grid))
    return History(len(usable), saved, grid, jpeg, evidence, clarity)


def _clear_steps(histograms: np.ndarray | int, alone: np.ndarray | int) -> np.ndarray:
    """What speaks for each step beyond what the last saving alone would."""
    steps = quantisation.by_step(np.asarray(histograms))
    if isinstance(alone, np.ndarray):
        steps = np.maximum(steps - _LAST * quantisation.by_step(alone), 0)
    return steps


def _on_grid(
    images: Sequence[np.ndarray], aside: Sequence[np.ndarray], last: np.ndarray, saved: Jpeg
) -> tuple[np.ndarray, float]:
    """Log likelihood ratio by quality of a JPEG before this one on the same grid, and how much is clear."""
    shifted = np.asarray(sum(quantisation.one_grid(pixels, (4, 4)) for pixels in images))
    once = np.asarray(sum(quantisation.one_grid(pixels, (0, 0)) for pixels in aside))
    explained = quantisation.earlier_on_grid(last, shifted, once, quantisation.table_of(saved))
    return explained, _CLEARLY + _CLEARLY_BY_BLOCK * float(last[1].sum())


def _quality(explained: np.ndarray) -> tuple[int, float]:
    """The likeliest, and by how much it is likelier than those more than 2 off."""
    best, qualities = int(explained.argmax()), quantisation.QUALITIES
    others = explained[np.abs(qualities - qualities[best]) > 2]
    return int(qualities[best]), float(explained[best] - others.max())


def _subsampling(images: Sequence[np.ndarray], grid: tuple[int, int]) -> str:
    """Of chroma, in images that were only decompressed; 4:2:0, the commonest, where colours are too smooth to tell."""
    down, right = (_halved([pixels.swapaxes(0, axis) for pixels in images], grid[axis]) for axis in (0, 1))
    return "4:2:0" if down and right else "4:2:2" if right else "4:4:4" if not down else "4:2:0"


def _halved(images: Sequence[np.ndarray], offset: int) -> bool:
    """Whether chroma was halved along the first axis, or may have been.

    libjpeg enlarges it by weights 3/4 and 1/4 (``h2v1_fancy_upsample``), so that at every other place its third
    difference is that of rounding alone.
    """
    squares, count = 0.0, 0
    for pixels in images:
        part = pixels[:_SIDE, :_SIDE]
        inside = (part.min(2) > 0) & (part.max(2) < 255)
        first = (offset + 1) % 2
        inside = (inside[:-3] & inside[1:-2] & inside[2:-1] & inside[3:])[first::2]
        for weights in _CHROMA:
            squares += float((np.diff(part @ weights, 3, axis=0)[first::2][inside] ** 2).sum())
            count += int(inside.sum())
    return squares <= _ROUNDED * count
