"""Trains a tower that sees 64 px of images as publishers leave them: pixels of simulated sources, processed alike.

    python benchmarks/tower64.py PHOTOGRAPHS --steps 7500 [--bfloat16]
    python benchmarks/tower64.py PHOTOGRAPHS --speed        # seconds a step, for choosing --steps

Crops of real photographs (a folder or zip) go through ever new simulated sources, and all sources of an episode through one and the
same random processing: perhaps cropped off the grid of what made them, perhaps resized to 60 to 100 %, saved as JPEG or WebP of a
random quality or not at all, perhaps cropped off the grid of that. A gallery is brought to a probe's condition, so traces need not
survive any processing unchanged; they must be told apart after each. A step has several such episodes: were it one, batch normalisation
would be by what they share, which is not known when features are made of single images. The last tenth of the photographs validates.

The training is kept in benchmarks/trained/tower64.checkpoint.safetensors at every validation. Called again with the same
arguments, it goes on from there, and ends where an unbroken run would have.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from common import ROOT
from PIL import Image
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn

from genprint.encoder.network import SetNetwork
from genprint.encoder.training.episodes import Episode
from genprint.encoder.training.loop import TrainingConfig, train
from genprint.encoder.training.simulator import draw_sources
from genprint.fingerprints.residuals import to_images, to_pixels
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.storage.files import digest

CHECKPOINT = ROOT / "benchmarks/trained/tower64.checkpoint.safetensors"
# What is saved has whole chroma blocks, and pixels around the tile, as images have them.
TILE, SAVED, GRID = 64, 80, 8
# A unit of the tenth layer sees 79 px, the whole tile. A checkpoint holds the weights four times and stays below 15 MB.
NETWORK = {"channels": (32, 32, 64, 64, *6 * (96,)), "features": 96, "front_ends": (("raw", "high_pass"),)}
EPISODES, SOURCES, IMAGES = 3, 12, 6  # of a step, of an episode, of a source
_FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Processing:
    """What a publisher does to every image: cut off, resize to a share of the side, save, cut off again.

    Before that, and before sources, photographs may be ``enlarged``: large images are smoother than these are.
    """

    enlarged: float
    before: tuple[int, int]
    share: float
    resampling: Image.Resampling
    codec: str
    quality: int
    subsampling: str
    after: tuple[int, int]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Processing:
        """Any processing, each of its parts drawn apart."""
        before, after = (
            (int(rng.integers(GRID)), int(rng.integers(GRID))) if rng.random() < chance else (0, 0) for chance in (0.5, 0.25)
        )  # fmt: skip
        return cls(
            float(rng.uniform(1, 2.5)) if rng.random() < 0.4 else 1.0,
            before,
            float(rng.uniform(0.6, 1)) if rng.random() < 0.3 else 1.0,
            _FILTERS[int(rng.choice(len(_FILTERS), p=(0.5, 0.3, 0.2)))],
            str(rng.choice(("png", "jpeg", "webp"), p=(0.25, 0.55, 0.2))),
            int(rng.integers(60, 98, endpoint=True)),
            str(rng.choice(("4:2:0", "4:2:2", "4:4:4"), p=(0.6, 0.1, 0.3))),
            after,
        )

    @property
    def needed(self) -> int:
        """Side of what the source has to make for a tile to be left; a multiple of 4, as sources want it."""
        wanted = max(self.before) + (SAVED if self.share == 1 else int(np.ceil(SAVED / self.share)) + GRID)
        return -(-wanted // 4) * 4

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Tiles ``(n, 64, 64, 3)`` of images of the side that is needed, each from another place as tiles of one image are."""
        images = images[:, self.before[0] :, self.before[1] :]
        if self.share < 1:
            images = np.stack([self._resize(own, *rng.uniform(0, GRID, 2)) for own in images])
        else:
            images = images[:, :SAVED, :SAVED]
        if self.codec == "jpeg":
            images = Jpeg(self.quality, self.subsampling)(images)
        elif self.codec == "webp":
            images = np.stack([webp(own, self.quality) for own in images])
        corners = np.array(self.after) + GRID * rng.integers(2, size=(len(images), 2))
        return np.stack([own[y : y + TILE, x : x + TILE] for own, (y, x) in zip(images, corners, strict=True)])

    def _resize(self, image: np.ndarray, y: float, x: float) -> np.ndarray:
        box = (x, y, x + SAVED / self.share, y + SAVED / self.share)
        return np.asarray(Image.fromarray(image).resize((SAVED, SAVED), self.resampling, box))


def webp(image: np.ndarray, quality: int) -> np.ndarray:
    """Saved as lossy WebP by Pillow and read again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@dataclass(frozen=True)
class ProcessedEpisodes:
    """Random crops of photographs through ever new simulated sources, and those of one part through one processing.

    Labels of part i are ``i * SOURCES`` and up. Siblings of sources come as in ``SimulatedEpisodes``.
    """

    photographs: Sequence[np.ndarray] = field(repr=False)
    parts: int = EPISODES
    siblings: float = 0.5
    warmup: int = 0
    seed: int = 0

    def __call__(self, step: int) -> Episode:
        rng = np.random.default_rng([self.seed, step])
        siblings = self.siblings * min(1.0, step / max(1, self.warmup))
        tiles: list[np.ndarray] = []
        for _ in range(self.parts):
            processing = Processing.draw(rng)
            for source in draw_sources(SOURCES, rng, siblings):
                chosen = rng.choice(len(self.photographs), size=IMAGES, replace=False)
                crops = np.stack([_crop(self.photographs[i], processing, rng) for i in chosen])
                made = source.apply(to_pixels(crops), rng)
                tiles.append(processing.apply(to_images(made), rng))
        labels = torch.arange(len(tiles)).repeat_interleave(IMAGES)
        return Episode(to_pixels(np.concatenate(tiles)), (1,) * len(labels), labels)


class WithinParts(nn.Module):
    """Supervised contrast among sources that share their processing: by it alone, others would be told apart."""

    def __init__(self, temperature: float):
        super().__init__()
        self.contrast = SupConLoss(temperature=temperature)

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        parts = [labels // SOURCES == i for i in (labels // SOURCES).unique()]
        return torch.stack([self.contrast(vectors[own], labels[own]) for own in parts]).mean()


def _crop(photograph: np.ndarray, processing: Processing, rng: np.random.Generator) -> np.ndarray:
    wanted = processing.needed
    side = round(wanted / processing.enlarged)
    top, left = (int(rng.integers(length - side, endpoint=True)) for length in photograph.shape[:2])
    crop = photograph[top : top + side, left : left + side]
    if side < wanted:
        crop = np.asarray(Image.fromarray(crop).resize((wanted, wanted), Image.Resampling.BICUBIC))
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def main() -> None:
    """Trains, or goes on."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", type=Path, help="folder or zip of real photographs, no side below 152 px")
    options.add_argument("--steps", type=int, default=7500, help="of the whole training (default: %(default)s)")
    options.add_argument("--bfloat16", action="store_true", help="faster where the processor has it")
    options.add_argument("--speed", action="store_true", help="only ten steps, and nothing kept")
    given = options.parse_args()
    photographs = [image.pixels for image in ImageSet.read(given.photographs)]
    cut = len(photographs) - len(photographs) // 10
    torch.manual_seed(0)
    network = SetNetwork(**NETWORK)
    episodes = ProcessedEpisodes(photographs[:cut], warmup=given.steps // 4)
    checks = ProcessedEpisodes(photographs[cut:], parts=1, seed=1)
    precision = "bfloat16" if given.bfloat16 else "float32"
    steps = 10 if given.speed else given.steps
    config = TrainingConfig(steps, validate_every=100, patience=given.steps, precision=precision)
    begun: tuple[int, float, float] | None = None

    def tell(step: int, steps: int, loss: float, val: float) -> None:
        nonlocal begun
        begun = begun or (step - 1, time.monotonic(), time.process_time())
        wall, cpu = time.monotonic() - begun[1], time.process_time() - begun[2]
        if step % 20 == 0 or given.speed:
            pace = f"{cpu / (step - begun[0]):.2f} CPU s a step, {wall / (step - begun[0]):.2f} s on the clock"
            print(f"step {step} of {steps}, {pace}; loss {loss:.3f}, validation {val:.3f}", flush=True)

    result = train(
        network, episodes, [checks(i) for i in range(24)], config, None if given.speed else CHECKPOINT, tell,
        WithinParts(config.temperature), run_id=digest(b"".join(own.tobytes() for own in photographs)),
    )  # fmt: skip
    print(f"validation {result.first_loss:.3f} at first, {result.best_loss:.3f} at best, step {result.best_step}")


if __name__ == "__main__":
    main()
