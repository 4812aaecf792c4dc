"""Mixed sets: whether estimated shares are the true ones, and a few foreign images are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from genprint.answers.mixture import Mixture, unmix
from genprint.answers.results import UNKNOWN
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.model import Model
from genprint.scoring.exchangeability import ALPHA

_FOREIGN = 0.05


@dataclass(frozen=True)
class Mixtures:
    """Means over draws, with their bootstrap intervals; draws share images, so these are rather narrow.

    Attributes:
        error: mean absolute error of the shares of the sources that are in the set.
        covered: share of those sources' true shares that lie within the interval.
        owners: share of images whose likely source is the true one.
        false_alarm: share of sets of one source that are called mixed.
        found: share of sets with a few foreign images that are called mixed.
        unknown: share of sets of a source not enrolled that are called unknown.
        foreign: images in a set that are of another source.
        images: of each set.
        sources: mixed in a set.
    """

    error: Mean
    covered: Mean
    owners: Mean
    false_alarm: Mean
    found: Mean
    unknown: Mean
    foreign: int
    images: int
    sources: int


def mixtures(
    model: Model,
    fingerprints: Mapping[str, Fingerprint],
    enrolled: int,
    images: int = 100,
    sources: int = 3,
    draws: int = 20,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Mixtures:
    """Draws sets of several sources with random shares (uniform over all shares), of one, of one with few others.

    A source that has too few images beside the enrolled ones is left out. No set has more images of a source than
    the source has left.

    Raises:
        ValueError: fewer sources than are to be mixed, and one more, have images enough.
    """
    half = images // 2
    few = max(1, round(_FOREIGN * half))
    usable = {name: source for name, source in fingerprints.items() if len(source) >= enrolled + half}
    if len(usable) < sources + 1:
        raise ValueError(
            f"{len(usable)} sources have {enrolled} + {half} images or more; {sources + 1} are needed to mix {sources}"
        )
    names = list(usable)
    rows: dict[str, list[float]] = {
        key: [] for key in ("error", "covered", "owners", "false_alarm", "found", "unknown")
    }
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        orders = {name: rng.permutation(len(source)) for name, source in usable.items()}
        gallery = {name: source[orders[name][:enrolled]] for name, source in usable.items()}

        def probe(
            counts: Mapping[str, int],
            gallery: Mapping[str, Fingerprint],
            orders: Mapping[str, np.ndarray] = orders,
        ) -> Mixture:
            parts = [usable[name][orders[name][enrolled : enrolled + count]] for name, count in counts.items()]
            first, *others = parts
            return unmix(model, gallery, replace(sum(others, start=first), names=()))

        chosen = [str(name) for name in rng.choice(names, sources, replace=False)]
        counts = {
            name: int(min(max(1, round(images * share)), len(usable[name]) - enrolled))
            for name, share in zip(chosen, rng.dirichlet(np.ones(sources)), strict=True)
        }
        result = probe(counts, gallery)
        shares = {share.source: share for share in result.shares}
        truth = {name: count / sum(counts.values()) for name, count in counts.items()}
        owners = [name for name, count in counts.items() for _ in range(count)]
        rows["error"].append(float(np.mean([abs(shares[name].share - truth[name]) for name in chosen])))
        covered = [shares[name].low - 1e-9 <= truth[name] <= shares[name].high + 1e-9 for name in chosen]
        rows["covered"].append(float(np.mean(covered)))
        right = [member.source == owner for member, owner in zip(result.members, owners, strict=True)]
        rows["owners"].append(float(np.mean(right)))
        one, other = chosen[:2]
        rows["false_alarm"].append(float(probe({one: half}, gallery).mixed_p <= ALPHA))
        rows["found"].append(float(probe({one: half - few, other: few}, gallery).mixed_p <= ALPHA))
        without = {name: source for name, source in gallery.items() if name != one}
        rows["unknown"].append(float(probe({one: half}, without).decision == UNKNOWN))
        if progress:
            progress(1)
    means = {key: over_sources(values, seed) for key, values in rows.items()}
    return Mixtures(**means, foreign=few, images=images, sources=sources)
