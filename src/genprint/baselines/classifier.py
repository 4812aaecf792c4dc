"""What the learned peers share: a network trained on the gallery's images, applied to each image of the probe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genprint.baselines.pixels import FixedSize
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.residuals import Pixels, middle, raw
from genprint.images.decoding import Image
from genprint.images.sets import ImageSetError
from genprint.scoring.base import Comparer

_BATCH = 64


class RawPixels(FixedSize):
    """The pixels themselves, for peers that learn from these; of images that are not square, the middle square."""

    method = "pixels"
    keeps_scatter = False

    def _of_one_size(self, images: Iterable[Image]) -> np.ndarray:
        taken = super()._of_one_size(images)
        return np.stack([middle(one, min(one.shape[:2])) for one in taken])

    def describe(self, pixels: Pixels) -> np.ndarray:
        return pixels.flatten(1).numpy()


def as_pixels(features: Fingerprint) -> Pixels:
    """The images again, from features of ``RawPixels``."""
    side = round((features.values.shape[1] / 3) ** 0.5)
    return torch.from_numpy(np.array(features.values)).reshape(-1, 3, side, side)


class Attributor(nn.Module):
    """A network with a feature map, and a linear layer on its spatial mean that names the source.

    Attributes:
        body: pixels scaled to -1..1 to maps ``(n, c, y, x)``.
    """

    body: nn.Module
    head: nn.Linear

    def forward(self, pixels: Pixels) -> Float[Tensor, "n sources"]:
        """Logits of each source, of pixel levels."""
        logits: Tensor = self.head(self.body(raw(pixels)).mean((2, 3)))
        return logits


Augment = Callable[[Pixels, np.random.Generator], Pixels]


class Loss(Protocol):
    """What a batch of changed images and the numbers of their sources costs."""

    def __call__(self, network: Attributor, pixels: Pixels, sources: Int[Tensor, " n"]) -> Tensor: ...


def cross_entropy(network: Attributor, pixels: Pixels, sources: Int[Tensor, " n"]) -> Tensor:
    """Of naming the source."""
    return F.cross_entropy(network(pixels), sources)


def unchanged(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """No augmentation."""
    return pixels


@dataclass
class Classifier(Comparer):
    """Trains an attributor on the gallery's images; a probe's score is the mean log-probability over its images.

    A gallery is trained on once; later calls with the same one reuse the network.

    Attributes:
        make: an attributor for so many sources.
        augment: changes a training batch.
        loss: of a training step.
        prepare: called with a fresh attributor and the gallery's images, before training.
        steps: of training, of 64 images.
        rate: AdamW's largest learning rate; it falls to zero as a cosine.
    """

    make: Callable[[int], Attributor]
    augment: Augment = unchanged
    loss: Loss = cross_entropy
    prepare: Callable[[Attributor, Pixels], None] | None = None
    steps: int = 400
    rate: float = 1e-3
    seed: int = 0
    _known: tuple[tuple[tuple[str, ...], ...], Attributor] | None = field(default=None, repr=False)

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        widths = {fingerprint.values.shape[1] for fingerprint in (*probes, *gallery)}
        if len(widths) > 1:
            sides = sorted(round((width / 3) ** 0.5) for width in widths)
            raise ImageSetError(f"learned peers need images of one size; there are sides of {sides} px")
        network = self._learn(gallery)
        sizes = [len(probe) for probe in probes]
        with torch.inference_mode():  # one probe after another: pixels of all of them may not fit into memory
            parts = (part for probe in probes for part in as_pixels(probe).split(256))
            scores = torch.cat([network(part).log_softmax(1) for part in parts]).double().numpy()
        means: np.ndarray = np.add.reduceat(scores, np.cumsum([0, *sizes[:-1]])) / np.array(sizes)[:, None]
        return means

    def _learn(self, gallery: Sequence[Fingerprint]) -> Attributor:
        who = tuple(source.digests for source in gallery)
        if self._known is None or self._known[0] != who:
            counts = torch.tensor([len(source) for source in gallery])
            sources = torch.repeat_interleave(torch.arange(len(gallery)), counts)
            pixels = torch.cat([as_pixels(source) for source in gallery])
            with torch.random.fork_rng():
                torch.manual_seed(self.seed)
                network = self.make(len(gallery))
                if self.prepare:
                    self.prepare(network, pixels)
                train(network, pixels, sources, self.augment, self.loss, self.steps, self.rate, self.seed)
            self._known = who, network
        return self._known[1]


def train(
    network: Attributor,
    pixels: Pixels,
    labels: Int[Tensor, " n"],
    augment: Augment,
    loss: Loss,
    steps: int,
    rate: float,
    seed: int,
) -> None:
    """Trains in place and leaves the network in evaluation mode."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for _ in range(steps):
        chosen = torch.from_numpy(rng.choice(len(pixels), min(_BATCH, len(pixels)), replace=False))
        cost = loss(network, augment(pixels[chosen], rng), labels[chosen])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        schedule.step()
    network.eval()
