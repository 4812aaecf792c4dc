"""The control: the same tower taught on single images, its logits averaged over the probe.

    python benchmarks/single_image.py --real REAL.npz

Nine sources (the generators of the demo and real images), the same 100 images of each to learn from, the others to probe with.
Both start from the shipped tower: one is fine-tuned by cross-entropy on single images, one by `Model.fit` on sets,
one is only enrolled. Writes docs/single-image.md.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from common import ROOT, encoder_of, provenance
from results import SIZES, reference
from torch import nn

from genprint.fingerprints.residuals import to_pixels
from genprint.generators.collection import demonstrated
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer
from genprint.storage.files import write_atomically

LEARNED = 100


def single_image_logits(model: Model, learned: list[np.ndarray], probes: list[np.ndarray], steps: int) -> list:
    """Log-probabilities of each probe image by a classifier trained on single images."""
    torch.manual_seed(0)
    network = copy.deepcopy(encoder_of(model).network)
    classify = nn.Linear(len(network.towers) * network.config["features"], len(learned))
    optimizer = torch.optim.AdamW([*network.parameters(), *classify.parameters()], 3e-4, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    images, labels = to_pixels(np.concatenate(learned)), torch.arange(len(learned)).repeat_interleave(LEARNED)
    rng = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(steps):
        chosen = torch.randint(len(images), (96,), generator=rng)
        loss = nn.functional.cross_entropy(classify(network.features(images[chosen])), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.inference_mode():
        return [classify(network.features(to_pixels(pixels))).log_softmax(1).numpy() for pixels in probes]


def set_scores(model: Model, learned: list[np.ndarray], probes: list[np.ndarray], size: int) -> np.ndarray:
    """Whether each disjoint probe set is attributed rightly, by its source; ``(sources, probes)``."""
    gallery, others = (
        [model.fingerprint(ImageSet.from_array(pixels, str(i))) for i, pixels in enumerate(sets)]
        for sets in (learned, probes)
    )
    right = []
    for i, other in enumerate(others):
        sets = [other[np.arange(j * size, (j + 1) * size)] for j in range(len(other) // size)]
        right.append(ByScorer(model.scorer).score(sets, gallery).argmax(1) == i)
    return np.array(right)


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    start = time.monotonic()
    model = Model.load()
    kept = {folder.name for folder in demonstrated()} | {"real"}
    sets = [s.to_array()[:200] for s in reference(arguments.real, 205, 0, model).sets if s.name in kept]
    few = min(map(len, sets))
    learned, probes = [pixels[:LEARNED] for pixels in sets], [pixels[LEARNED:few] for pixels in sets]
    sources = [str(i) for i in range(len(learned))]
    known = [ImageSet.from_array(pixels, source) for source, pixels in zip(sources, learned, strict=True)]
    fitted = model.fit(known, sources, arguments.steps).model
    logits = single_image_logits(model, learned, probes, arguments.steps)
    lines = ["| method | " + " | ".join(f"@{n}" for n in SIZES) + " |", "| --- " * (1 + len(SIZES)) + "|"]
    rng = np.random.default_rng(0)
    for name in ("single images, mean logit", "sets, fitted", "sets, enrolled only"):
        cells = []
        for size in SIZES:
            if name.startswith("single"):
                count = len(probes[0]) // size
                means_of_sets = [rows[: count * size].reshape(count, size, -1).mean(1) for rows in logits]
                right = np.array([rows.argmax(1) == i for i, rows in enumerate(means_of_sets)])
            else:
                right = set_scores(fitted if "fitted" in name else model, learned, probes, size)
            means = right.mean(1)
            low, high = np.quantile(means[rng.integers(len(means), size=(2000, len(means)))].mean(1), [0.025, 0.975])
            cells.append(f"{100 * means.mean():.1f} [{100 * low:.0f}, {100 * high:.0f}]")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    text = (
        f"# Sets against single images\n\nWritten by `benchmarks/single_image.py`. {provenance(0, start, model.identity)}\n\n"
        f"The shipped tower, {len(sets)} sources, the same {LEARNED} images of each to learn from, {arguments.steps} steps, "
        f"{few - LEARNED} images of each to probe with, one split; top-1 in percent, intervals by bootstrap over sources. All "
        "three start from the shipped tower, which was trained on sets.\n\n" + "\n".join(lines) + "\n"
    )
    write_atomically(ROOT / "docs/single-image.md", text.encode())


if __name__ == "__main__":
    main()
