"""Lineage: whether a model was derived from another (tuned, quantised, another sampler), not trained apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genprint.answers.pairs import Followed, matched, noise_of_pairs
from genprint.answers.results import INCONCLUSIVE, Result, plain_text
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable, check_disjoint
from genprint.model import Model
from genprint.scoring.equalising import equalised
from genprint.scoring.exchangeability import ALPHA
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DERIVED, APART = "derived", "apart"
#: of paired sets, where what all images share and what single ones do say different things
_NEAR_ONLY = (
    "{child} is near {parent} in what all its images share, but does not follow it image by image, as a child does: "
    "models trained apart by one recipe are near like that."
)
_FOLLOWS_ONLY = (
    "{child} follows {parent} image by image, as a child does, but is not surely nearer to it than to others in what "
    "all its images share."
)


@dataclass(frozen=True)
class Lineage(Result):
    """Whether the child's images lie nearer the parent's than those of models trained apart do.

    Attributes:
        child: name of the model in question.
        parent: name of the alleged parent.
        decision: 'derived' (nearer the parent than all others, p of 0.05 or less; of paired sets, following it closely,
            too), 'apart' (nearer another one, as surely, and not following the parent), or 'inconclusive'.
        rate: share of models trained apart that come out 'derived': by symmetry, one more of k + 1 such models is as
            often nearest to the alleged parent as to any other. Of paired sets, at most this.
        p: of the hypothesis that the child is no nearer the parent than the nearest other model: bootstrap over the
            images of all sets.
        distance: from child to parent, in standard deviations within a source.
        others: distances from the child to the models trained apart.
        margin: squared distance to the nearest other model less that to the parent, with its 95 % interval.
        images: of each set.
        said: how sets that were saved differently were compared, and what pairs show, in sentences.
        followed: of paired sets, how far the child follows the others image by image; else None.
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
    followed: Followed | None = None

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
    paired: bool = False,
) -> Lineage:
    """Compares the child with its alleged parent and with models that are known to be trained apart.

    A child keeps the particular traits that training gave its parent, beside those of the architecture, which all
    seeds share. So the question needs other seeds of the parent's architecture: without them, near is only near.

    Of sets that were made of the same prompts or latents, images look alike for that alone, and sets of one another
    are nearer than they should be: divide them, so that none is on both sides, or say that they are paired. What
    pairs have in common then drops out, and a child has to follow its parent image by image, too.

    Args:
        model: of the fingerprints.
        child: of the model in question.
        parent: of the model that it may be derived from.
        apart: of models trained apart from the parent, best on the same images in the same way.
        draws: of the bootstrap.
        seed: of these.
        paired: whether images of the same name or number were made of the same prompt or latent, in all sets.

    Raises:
        ImageSetError: the child shares images with another set, or images of paired sets have no partner.
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
    sets, said, _ = equalised(matched(sets) if paired else sets)
    scorer = model.scorer.adapt(sets)
    white = [scorer.whiten(one.values.astype(np.float64)) for one in sets]
    noise = noise_of_pairs(white) if paired else _noise(white)
    squared = _squared(np.stack([values.mean(0)[None] for values in white]), noise)[:, 0]
    rng = np.random.default_rng(seed)
    once = [_draws(rng, len(x), draws) for x in (white[:1] if paired else white)]
    drawn = once * len(white) if paired else once
    resampled = np.stack([counts @ x / len(x) for counts, x in zip(drawn, white, strict=True)])
    again = _squared(resampled, 2 * noise)  # the bootstrap adds the sampling once more
    margin, margins = (found[1:].min(0) - found[0] for found in (squared, again))
    p = float((1 + (margins <= 0).sum()) / (1 + draws))
    low, high = np.quantile(margins, [0.025, 0.975])
    nearer_another = (1 + (margins >= 0).sum()) / (1 + draws)
    names = [other.source for other in apart]
    followed = Followed.of(names, white, drawn[0]) if paired else None
    decision = DERIVED if p <= ALPHA else APART if nearer_another <= ALPHA else INCONCLUSIVE
    if followed and followed.closely != (decision == DERIVED):
        alone = _FOLLOWS_ONLY if followed.closely else _NEAR_ONLY
        decision, said = INCONCLUSIVE, (*said, alone.format(child=child.source, parent=parent.source))
    distances = np.sqrt(squared.clip(0))
    return Lineage(
        child.source, parent.source, decision, 1 / (len(apart) + 1), p, float(distances[0]),
        dict(zip(names, map(float, distances[1:]), strict=True)), (float(margin), float(low), float(high)),
        {one.source: len(one) for one in sets}, said, followed,
    )  # fmt: skip


def _draws(rng: np.random.Generator, images: int, draws: int) -> np.ndarray:
    """How often each draw of the bootstrap takes each image, ``(draws, images)``."""
    return rng.multinomial(images, np.full(images, 1 / images), draws)


def _noise(sets: Sequence[np.ndarray]) -> np.ndarray:
    """What finite sets, drawn apart, make of no distance between the first's mean and each other's, squared."""
    spread = np.array([values.var(0, ddof=1).sum() / len(values) for values in sets])
    noise: np.ndarray = spread[1:] + spread[0]
    return noise


def _squared(means: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Squared distances of the first mean from the others, ``(others, draws)``, less the noise ``(others,)``.

    ``means`` are ``(sets, draws, d)``.
    """
    squared: np.ndarray = np.square(means[1:] - means[:1]).sum(2) - noise[:, None]
    return squared
