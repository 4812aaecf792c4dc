"""Lineage: whether a model was derived from another (tuned, quantised, another sampler), not trained apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genprint.answers.results import INCONCLUSIVE, Result, plain_text
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable, check_disjoint
from genprint.model import Model
from genprint.scoring.equalising import equalised
from genprint.scoring.exchangeability import ALPHA
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DERIVED, APART = "derived", "apart"


@dataclass(frozen=True)
class Lineage(Result):
    """Whether the child's images lie nearer the parent's than those of models trained apart do.

    Attributes:
        child: name of the model in question.
        parent: name of the alleged parent.
        decision: 'derived' (nearer the parent than all others, p of 0.05 or less), 'apart' (nearer another one, as
            surely), or 'inconclusive'.
        rate: share of models trained apart that come out 'derived': by symmetry, one more of k + 1 such models is as
            often nearest to the alleged parent as to any other.
        p: of the hypothesis that the child is no nearer the parent than the nearest other model: bootstrap over the
            images of all sets.
        distance: from child to parent, in standard deviations within a source.
        others: distances from the child to the models trained apart.
        margin: squared distance to the nearest other model less that to the parent, with its 95 % interval.
        images: of each set.
        said: how sets that were saved differently were compared, in sentences.
    """

    child: str
    parent: str
    decision: str
    rate: float
    p: float
    distance: float
    others: dict[str, float]
    margin: tuple[float, float, float]
    images: dict[str, int]
    said: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        return f"{self.child}: {self.decision}"

    def plot(self, ax: Axes) -> Axes:
        """Distances from the child to the alleged parent and to the models trained apart."""
        distances = {self.parent: self.distance, **self.others}
        colours = ["tab:orange", *["tab:blue"] * len(self.others)]
        ax.barh([plain_text(name) for name in distances], list(distances.values()), color=colours)
        ax.set_xlabel(f"distance from {plain_text(self.child)}, in standard deviations within a source")
        return ax


def lineage(
    model: Model,
    child: Fingerprint,
    parent: Fingerprint,
    apart: Sequence[Fingerprint],
    draws: int = 1000,
    seed: int = 0,
) -> Lineage:
    """Compares the child with its alleged parent and with models that are known to be trained apart.

    A child keeps the particular traits that training gave its parent, beside those of the architecture, which all
    seeds share. So the question needs other seeds of the parent's architecture: without them, near is only near.

    Args:
        model: of the fingerprints.
        child: of the model in question.
        parent: of the model that it may be derived from.
        apart: of models trained apart from the parent, best on the same images in the same way.
        draws: of the bootstrap.
        seed: of these.

    Raises:
        ImageSetError: the child shares images with another set.
        ValueError: no model trained apart is given, or a set has fewer than ten images.
    """
    if not apart:
        raise ValueError("lineage needs images of at least one other model of the parent's kind, trained apart from it")
    sets = [child, parent, *apart]
    check_comparable(sets)
    for other in sets[1:]:
        check_disjoint(child, other)
    for one in sets:
        if len(one) < 10:
            raise ValueError(
                f"{one.source}: {counted(len(one), 'image')}: too few to tell a child from a relative; give ten or more"
            )
    sets, said, _ = equalised(sets)
    scorer = model.scorer.adapt(sets)
    white = [scorer.whiten(one.values.astype(np.float64)) for one in sets]
    squared = _squared(np.stack([values.mean(0)[None] for values in white]), white, 1)[:, 0]
    rng = np.random.default_rng(seed)
    resampled = np.stack([rng.multinomial(len(x), np.full(len(x), 1 / len(x)), draws) @ x / len(x) for x in white])
    again = _squared(resampled, white, 2)  # the bootstrap adds the sampling once more
    margin, margins = (found[1:].min(0) - found[0] for found in (squared, again))
    p = float((1 + (margins <= 0).sum()) / (1 + draws))
    low, high = np.quantile(margins, [0.025, 0.975])
    nearer_another = (1 + (margins >= 0).sum()) / (1 + draws)
    decision = DERIVED if p <= ALPHA else APART if nearer_another <= ALPHA else INCONCLUSIVE
    distances = np.sqrt(squared.clip(0))
    return Lineage(
        child.source, parent.source, decision, 1 / (len(apart) + 1), p, float(distances[0]),
        {other.source: float(distance) for other, distance in zip(apart, distances[1:], strict=True)},
        (float(margin), float(low), float(high)), {one.source: len(one) for one in sets}, said,
    )  # fmt: skip


def _squared(means: np.ndarray, sets: list[np.ndarray], samplings: int) -> np.ndarray:
    """Squared distances of the first mean from the others, ``(others, draws)``, less what finite sets make of nothing.

    ``means`` are ``(sets, draws, d)``, and that often sampled from the sources.
    """
    spread = np.array([values.var(0, ddof=1).sum() / len(values) for values in sets])
    squared: np.ndarray = np.square(means[1:] - means[:1]).sum(2) - samplings * (spread[1:] + spread[0])[:, None]
    return squared
