"""Attributability: how often the best score names the right source, by the size of the probe set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.words import counted


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval, how many disjoint probes a draw had, and sources.

    ``by_source`` has each source's rate in each repeat.
    """

    mean: float
    low: float
    high: float
    probes: int
    sources: int
    by_source: Mapping[str, tuple[float, ...]] = field(repr=False)


@dataclass(frozen=True)
class Paired:
    """Two methods on the same probes: means with 95 % intervals by bootstrap over sources.

    Attributes:
        difference: of their rates.
        error_ratio: of the shares that they got wrong; below one, the first is better. None where the second made no
            mistake, in whole or at an end of the interval.
    """

    difference: tuple[float, float, float]
    error_ratio: tuple[float | None, float | None, float | None]


def top1(
    fingerprints: Mapping[str, Fingerprint],
    comparer: Comparer,
    enrolled: int,
    sizes: Sequence[int],
    repeats: int,
    seed: int,
    asked: Mapping[str, Fingerprint] | None = None,
) -> dict[int, Rate]:
    """Closed-set top-1 with ``enrolled`` images of each source in the gallery, probes from the others.

    Each repeat splits every source's images anew, by image, before sets are formed; within a repeat probes are
    disjoint. A size that some source cannot give once is left out. Redrawing adds no evidence, so the interval
    comes from the bootstrap over sources, then over a source's mean rates of repeats.

    Args:
        fingerprints: of each source, by name.
        comparer: scores probes against the gallery.
        enrolled: images of each source in the gallery.
        sizes: of probes, in images.
        repeats: divisions of each source's images.
        seed: of these.
        asked: fingerprints of the same images in another condition, in the same order; probes are taken from these.

    Raises:
        ValueError: a source has too few images for the gallery and one probe of the smallest size.
    """
    fewest = min(fingerprints, key=lambda name: len(fingerprints[name]))
    if len(fingerprints[fewest]) < enrolled + min(sizes):
        raise ValueError(
            f"{fewest}: {counted(len(fingerprints[fewest]), 'image')}: too few to enroll {enrolled} and probe with "
            f"{min(sizes)}"
        )
    names = list(fingerprints)
    possible = [size for size in sizes if len(fingerprints[fewest]) >= enrolled + size]
    hits = {size: np.zeros((len(names), repeats)) for size in possible}
    probes = dict.fromkeys(possible, 0)
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        orders = [rng.permutation(len(fingerprints[name])) for name in names]
        gallery = [fingerprints[name][order[:enrolled]] for name, order in zip(names, orders, strict=True)]
        for size in possible:
            owners: list[int] = []
            sets = []
            for i, (name, order) in enumerate(zip(names, orders, strict=True)):
                for start in range(enrolled, len(order) - size + 1, size):
                    sets.append((asked or fingerprints)[name][order[start : start + size]])
                    owners.append(i)
            right = named(comparer.score(sets, gallery), owners)
            hits[size][:, repeat] = [right[np.array(owners) == i].mean() for i in range(len(names))]
            probes[size] = len(sets)
    rng = np.random.default_rng(seed)
    return {size: _interval(names, hits[size], probes[size], rng) for size in possible}


def named(scores: np.ndarray, owners: Sequence[int] | np.ndarray) -> np.ndarray:
    """Whether each probe's best score ``(n, m)`` is its owner's: 1 or 0, and where several are best, one's share."""
    best = scores == scores.max(1, keepdims=True)
    return np.asarray(best[np.arange(len(scores)), owners] / best.sum(1))


def paired(ours: Rate, theirs: Rate, seed: int = 0, draws: int = 2000) -> Paired:
    """Compares two methods by the splits that both were given.

    Raises:
        ValueError: they are rates of different sources.
    """
    if list(ours.by_source) != list(theirs.by_source):
        raise ValueError("rates of other sources cannot be paired")
    repeats = min(len(next(iter(rate.by_source.values()))) for rate in (ours, theirs))
    right = np.array([[rates[:repeats] for rates in rate.by_source.values()] for rate in (ours, theirs)]).mean(2)
    chosen = np.random.default_rng(seed).integers(right.shape[1], size=(draws, right.shape[1]))
    drawn = np.concatenate([right.mean(1)[:, None], right[:, chosen].mean(2)], axis=1)
    wrong = 1 - drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(wrong[1] > 0, wrong[0] / wrong[1], np.where(wrong[0] > 0, np.inf, 1.0))
    ratio_, low, high = (value if np.isfinite(value) else None for value in _with_interval(ratio))
    return Paired(_with_interval(drawn[0] - drawn[1]), (ratio_, low, high))


def _with_interval(drawn: np.ndarray) -> tuple[float, float, float]:
    """The first, and the 95 % interval of the others."""
    low, high = np.quantile(drawn[1:], [0.025, 0.975], method="nearest")
    return float(drawn[0]), float(low), float(high)


def _interval(names: Sequence[str], hits: np.ndarray, probes: int, rng: np.random.Generator, draws: int = 2000) -> Rate:
    sources, repeats = hits.shape
    chosen = rng.integers(sources, size=(draws, sources))
    means = hits[chosen, rng.integers(repeats, size=(draws, sources))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    by_source = {name: tuple(row) for name, row in zip(names, hits.tolist(), strict=True)}
    return Rate(float(hits.mean()), float(low), float(high), probes, sources, by_source)
