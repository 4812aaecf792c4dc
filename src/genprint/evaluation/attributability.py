"""Attributability: how often the best score names the right source, by the size of the probe set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genprint.fingerprint import Features
from genprint.scoring import Comparer


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval, how many disjoint probes a draw had, and sources."""

    mean: float
    low: float
    high: float
    probes: int
    sources: int


def top1(
    features: Mapping[str, Features],
    comparer: Comparer,
    enrolled: int,
    sizes: Sequence[int],
    repeats: int,
    seed: int,
    asked: Mapping[str, Features] | None = None,
) -> dict[int, Rate]:
    """Closed-set top-1 with ``enrolled`` images of each source in the gallery, probes from the others.

    Each repeat splits every source's images anew, by image, before sets are formed; within a repeat probes are
    disjoint. A size that some source cannot give once is left out. Redrawing adds no evidence, so the interval
    comes from the bootstrap over sources, then over a source's mean rates of repeats.

    Args:
        asked: features of the same images in another state, in the same order; probes are taken from these.

    Raises:
        ValueError: a source has too few images for the gallery and one probe of the smallest size.
    """
    fewest = min(features, key=lambda name: len(features[name]))
    if len(features[fewest]) < enrolled + min(sizes):
        raise ValueError(
            f"{fewest}: {len(features[fewest])} images are too few to enroll {enrolled} and probe with {min(sizes)}"
        )
    names = list(features)
    possible = [size for size in sizes if len(features[fewest]) >= enrolled + size]
    hits = {size: np.zeros((len(names), repeats)) for size in possible}
    probes = dict.fromkeys(possible, 0)
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        orders = [rng.permutation(len(features[name])) for name in names]
        gallery = [features[name][order[:enrolled]] for name, order in zip(names, orders, strict=True)]
        for size in possible:
            owners: list[int] = []
            sets = []
            for i, (name, order) in enumerate(zip(names, orders, strict=True)):
                for start in range(enrolled, len(order) - size + 1, size):
                    sets.append((asked or features)[name][order[start : start + size]])
                    owners.append(i)
            right = comparer.score(sets, gallery).argmax(1) == np.array(owners)
            hits[size][:, repeat] = [right[np.array(owners) == i].mean() for i in range(len(names))]
            probes[size] = len(sets)
    rng = np.random.default_rng(seed)
    return {size: _interval(hits[size], probes[size], rng) for size in possible}


def _interval(hits: np.ndarray, probes: int, rng: np.random.Generator, draws: int = 2000) -> Rate:
    sources, repeats = hits.shape
    chosen = rng.integers(sources, size=(draws, sources))
    means = hits[chosen, rng.integers(repeats, size=(draws, sources))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Rate(float(hits.mean()), float(low), float(high), probes, sources)
