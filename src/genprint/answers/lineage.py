"""Lineage: whether a model was derived from another (tuned, quantised, another sampler), not trained apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genprint.answers.attribution import MISSES
from genprint.answers.results import Result
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features, check_disjoint

DERIVED, APART, INCONCLUSIVE = "derived", "apart", "inconclusive"


@dataclass(frozen=True)
class Lineage(Result):
    """Whether the child's images lie nearer the parent's than those of models trained apart do.

    Attributes:
        answer: 'derived' (nearer the parent than all others, p of 0.05 or less), 'apart' (nearer another one, as
            surely), or 'inconclusive'.
        rate: share of models trained apart that come out 'derived': by symmetry, one more of k + 1 such models is as
            often nearest to the alleged parent as to any other.
        p: of the hypothesis that the child is no nearer the parent than the nearest other model: bootstrap over the
            images of all sets.
        distance: from child to parent, in standard deviations within a source.
        others: distances from the child to the models trained apart.
        margin: squared distance to the nearest other model less that to the parent, with its 95 % interval.
        images: of each set.
    """

    child: str
    parent: str
    answer: str
    rate: float
    p: float
    distance: float
    others: dict[str, float]
    margin: tuple[float, float, float]
    images: dict[str, int]


def lineage(
    encoder: SetEncoder,
    child: tuple[str, Features],
    parent: tuple[str, Features],
    apart: Mapping[str, Features],
    draws: int = 1000,
    seed: int = 0,
) -> Lineage:
    """Compares the child with its alleged parent and with models that are known to be trained apart.

    A child keeps the particular traits that training gave its parent, beside those of the architecture, which all
    seeds share. So the question needs other seeds of the parent's architecture: without them, near is only near.

    Args:
        child: name and features.
        parent: name and features.
        apart: features of models trained apart from the parent, best on the same images in the same way.
        draws: of the bootstrap.

    Raises:
        ImageSetError: the child shares images with another set.
        ValueError: no model trained apart is given, or a set has fewer than ten images.
    """
    if not apart:
        raise ValueError("lineage needs images of at least one other model of the parent's kind, trained apart from it")
    sets = {child[0]: child[1], parent[0]: parent[1], **apart}
    for name, own in {parent[0]: parent[1], **apart}.items():
        check_disjoint(*child, name, own)
    for name, own in sets.items():
        if len(own) < 10:
            raise ValueError(f"{name}: {len(own)} images are too few to tell a child from a relative; give ten or more")
    fingerprints = [encoder.summarise(own, name, vector=False) for name, own in sets.items()]
    plda = encoder.plda_.adapt(fingerprints)
    white = [plda.project(own.values.astype(np.float64)) for own in sets.values()]
    squared = _squared(np.stack([own.mean(0)[None] for own in white]), white, 1)[:, 0]
    rng = np.random.default_rng(seed)
    resampled = np.stack([rng.multinomial(len(x), np.full(len(x), 1 / len(x)), draws) @ x / len(x) for x in white])
    again = _squared(resampled, white, 2)  # the bootstrap adds the sampling once more
    margin, margins = (found[1:].min(0) - found[0] for found in (squared, again))
    p = float((1 + (margins <= 0).sum()) / (1 + draws))
    low, high = np.quantile(margins, [0.025, 0.975])
    answer = DERIVED if p <= MISSES else APART if (1 + (margins >= 0).sum()) / (1 + draws) <= MISSES else INCONCLUSIVE
    distances = np.sqrt(squared.clip(0))
    return Lineage(
        child[0], parent[0], answer, 1 / (len(apart) + 1), p, float(distances[0]),
        dict(zip(apart, map(float, distances[1:]), strict=True)),
        (float(margin), float(low), float(high)), {name: len(own) for name, own in sets.items()},
    )  # fmt: skip


def _squared(means: np.ndarray, sets: list[np.ndarray], samplings: int) -> np.ndarray:
    """Squared distances of the first mean from the others, ``(others, draws)``, less what finite sets make of nothing.

    ``means`` are ``(sets, draws, d)``, and that often sampled from the sources.
    """
    spread = np.array([own.var(0, ddof=1).sum() / len(own) for own in sets])
    return np.square(means[1:] - means[:1]).sum(2) - samplings * (spread[1:] + spread[0])[:, None]
