"""Simulated sources of larger images, as publishers leave them: what a scorer of pictures is learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from genprint.encoder.training.simulator import SimulatedSource, draw_sources
from genprint.fingerprints.residuals import to_images, to_pixels
from genprint.images.processing import Chain, Jpeg, Processing, Scale, Shift, WebP

_GRID = 8


def draw_processing(rng: np.random.Generator) -> Chain:
    """What a publisher may do to every image: cut off, shrink, save with loss; each of it or not."""
    steps: list[Processing] = []
    if rng.random() < 0.3:
        steps.append(Shift(*rng.integers(_GRID, size=2).tolist()))
    if rng.random() < 0.3:
        steps.append(Scale(float(rng.uniform(0.6, 0.95))))
    saved = rng.random()
    if saved < 0.45:
        steps.append(Jpeg(int(rng.integers(60, 96, endpoint=True)), str(rng.choice(("4:2:0", "4:4:4"), p=(0.7, 0.3)))))
    elif saved < 0.65:
        steps.append(WebP(int(rng.integers(5, 50, endpoint=True))))
    return Chain(tuple(steps))


@dataclass(frozen=True)
class Published:
    """Crops of photographs through ever new simulated sources, some of them siblings, in groups of one processing.

    Attributes:
        photographs: uint8 ``(h, w, 3)``; where a side is too short, their crops are enlarged first.
        side: of the images that are made, in pixels.
        sources: of a group.
        images: of a source.
        siblings: chance that a source is one.
        processed: whether publishers do anything.
        seed: of everything.
    """

    photographs: Sequence[np.ndarray] = field(repr=False)
    side: int = 128
    sources: int = 12
    images: int = 6
    siblings: float = 0.3
    processed: bool = True
    seed: int = 0

    def groups(self, count: int) -> Iterator[list[np.ndarray]]:
        """So many groups: of each source its images, uint8 ``(images, side, side, 3)``."""
        for group in range(count):
            rng = np.random.default_rng([self.seed, self.side, group])
            processing = draw_processing(rng) if self.processed else Chain(())
            share = min((step.share for step in processing.steps if isinstance(step, Scale)), default=1.0)
            needed = -(-int(np.ceil(self.side / share) + _GRID) // 4) * 4  # sources want a multiple of 4
            enlarged = float(rng.uniform(1, 2.5)) if rng.random() < 0.5 else 1.0  # large images are smoother
            yield [
                processing(self._made(source, needed, enlarged, rng))[:, : self.side, : self.side]
                for source in draw_sources(self.sources, rng, self.siblings)
            ]

    def _made(self, source: SimulatedSource, needed: int, enlarged: float, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(self.photographs), self.images, replace=False)
        crops = np.stack([_crop(self.photographs[i], needed, enlarged, rng) for i in chosen])
        return to_images(source.apply(to_pixels(crops), rng))


def _crop(photograph: np.ndarray, needed: int, enlarged: float, rng: np.random.Generator) -> np.ndarray:
    """A square crop, enlarged to the side that is needed where it is smaller."""
    side = min(round(needed / enlarged), *photograph.shape[:2])
    top, left = (int(rng.integers(length - side, endpoint=True)) for length in photograph.shape[:2])
    crop = photograph[top : top + side, left : left + side]
    if side < needed:
        crop = np.asarray(Image.fromarray(crop).resize((needed, needed), Image.Resampling.BICUBIC))
    return crop
