"""Real or generated: whether photographs of unseen publishers can be told from images of unseen generators.

The question behind it is of two populations, each of which has sources: photographs, by who published them, and
generators. What is asked about is left out of both, for whoever asks has images of neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.words import counted, first_of

# Inverse strength of the penalty. Of 0.0001, 0.001 and 0.01, areas for sets of ten images were 0.93, 0.92 and 0.92 on
# third-party generators of 32 px, 0.91, 0.94 and 0.97 on shipped ones. Densities of sources by PLDA reach 0.85.
_C = 1e-2
_IMAGES = 32  # that a source counts for beside the penalty, however many it has


class RealOrGenerated:
    """Log likelihood ratio of the proposition that images are real, against that a generator made them.

    A logistic regression of single images' features, scaled to unit variance, in which both populations weigh alike,
    and each source alike within its population. As it is linear, the score of a set is the mean over its images.
    Uncalibrated: what few sources support is an order, not odds.
    """

    def fit(self, sources: Sequence[Fingerprint], real: Sequence[bool]) -> RealOrGenerated:
        """Learns from a fingerprint of each source, and whether that is real."""
        check_comparable(sources)
        counts = np.array([len(source) for source in sources])
        is_real = np.array(real, bool)
        of_population = np.where(is_real, is_real.sum(), (~is_real).sum())
        weights = (_IMAGES * len(counts) / 2 / (counts * of_population)).repeat(counts)
        self._pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=300, tol=1e-3)).fit(
            np.concatenate([source.values for source in sources]), is_real.repeat(counts),
            standardscaler__sample_weight=weights, logisticregression__sample_weight=weights,
        )  # fmt: skip
        return self

    def score(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Of each set, ``(n_probes,)``; higher is more like the real ones."""
        scores: np.ndarray = self._pipeline.decision_function(np.stack([probe.mean for probe in probes]))
        return scores


@dataclass(frozen=True)
class Populations:
    """Which sources are real, and which belong together.

    Attributes:
        publishers: of each real source, who published it.
        generators: of each other source, the generator; sources of one generator are left out together.
    """

    publishers: Mapping[str, str]
    generators: Mapping[str, str]

    def __post_init__(self) -> None:
        if both := sorted(self.publishers.keys() & self.generators.keys()):
            raise ValueError(f"{first_of(both)}: both real and generated")
        for what, there in (("publishers of real images", self.publishers), ("generators", self.generators)):
            if (count := len(set(there.values()))) < 2:
                raise ValueError(
                    f"{counted(count, 'group')} of {what}: each is left out in its turn, so that it takes two or more"
                )


@dataclass(frozen=True)
class Told:
    """How well photographs are told from generated images: areas under the ROC curve.

    Each is the probability that a set of real images scores higher than one of generated images; 0.5 is chance. All
    are of pairs of a publisher and a generator, none of whose images were learned from unless it is said.

    Attributes:
        auroc: mean over all pairs; interval by bootstrap over publishers and over generators, both drawn anew. Of two
            or three publishers it is too narrow: nobody knows how others differ from these.
        by_publisher: of each, with an interval over generators.
        by_pair: of each publisher, and in that of each generator.
        publisher_seen: where other images of the same publisher were learned from, with the same probes.
        sets: disjoint ones of real and of generated images that a division has.
    """

    auroc: Mean
    by_publisher: dict[str, Mean]
    by_pair: dict[str, dict[str, float]] = field(repr=False)
    publisher_seen: Mean
    sets: tuple[int, int]


def real_or_generated(
    fingerprints: Mapping[str, Fingerprint],
    populations: Populations,
    learned: int,
    sizes: Sequence[int],
    repeats: int = 3,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> dict[int, Told]:
    """By the number of images in a set: each publisher, with each generator, is left out in its turn.

    Of every source, some images are learned from where it is not left out, and the others are asked, in disjoint sets.

    Args:
        fingerprints: of each source, by name.
        populations: which are real.
        learned: images of each source that are learned from.
        sizes: of sets, in images; one that some publisher or generator cannot give is left out.
        repeats: divisions of each source's images, over which areas are averaged.
        seed: of these.
        progress: called after every publisher and generator left out.

    Raises:
        ValueError: a source is not spoken of, or has too few images.
    """
    names = [*populations.publishers, *populations.generators]
    if lacking := sorted(set(names) ^ set(fingerprints)):
        raise ValueError(f"{first_of(lacking)}: either not among the sources, or neither real nor generated")
    for name in names:
        if len(fingerprints[name]) < learned + min(sizes):
            raise ValueError(
                f"{name}: {counted(len(fingerprints[name]), 'image')}: too few to learn from {learned} and ask about "
                f"{min(sizes)}"
            )
    found: dict[int, list[_Area]] = {}
    asked: dict[int, dict[str, list[Fingerprint]]] = {}
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        orders = {name: rng.permutation(len(fingerprints[name])) for name in names}
        known = {name: fingerprints[name][orders[name][:learned]] for name in names}
        asked = {
            size: {name: list(_disjoint(fingerprints[name], orders[name][learned:], size)) for name in names}
            for size in sizes
            if all(len(orders[name]) >= learned + size for name in names)
        }
        for publisher, generator, scorer in _turns(known, populations):
            for size, sets in asked.items():
                made = _scores(scorer, sets, populations.generators, generator)
                for other in dict.fromkeys(populations.publishers.values()):
                    if publisher in (other, None):  # that is left out, or, where none is, each
                        real = _scores(scorer, sets, populations.publishers, other)
                        area = _Area(other, generator, publisher is None, _auroc(real, made))
                        found.setdefault(size, []).append(area)
            if progress:
                progress()
    return {size: _told(areas, asked[size], populations, seed) for size, areas in found.items()}


def turns(populations: Populations) -> int:
    """How often something is learned anew for a division of the images."""
    return (1 + len(set(populations.publishers.values()))) * len(set(populations.generators.values()))


class _Area(NamedTuple):
    publisher: str
    generator: str
    seen: bool
    area: float


def _disjoint(source: Fingerprint, rows: np.ndarray, size: int) -> Iterator[Fingerprint]:
    for start in range(0, len(rows) - size + 1, size):
        yield source[rows[start : start + size]]


def _turns(
    known: Mapping[str, Fingerprint], populations: Populations
) -> Iterator[tuple[str | None, str, RealOrGenerated]]:
    """What is left out of what is learned from: a generator, and a publisher or none."""
    for generator in dict.fromkeys(populations.generators.values()):
        for publisher in (None, *dict.fromkeys(populations.publishers.values())):
            real = [name for name, own in populations.publishers.items() if own != publisher]
            made = [name for name, own in populations.generators.items() if own != generator]
            sources = [known[name] for name in (*real, *made)]
            yield publisher, generator, RealOrGenerated().fit(sources, [True] * len(real) + [False] * len(made))


def _scores(
    scorer: RealOrGenerated, sets: Mapping[str, Sequence[Fingerprint]], groups: Mapping[str, str], group: str
) -> np.ndarray:
    return scorer.score([one for name, own in groups.items() if own == group for one in sets[name]])


def _auroc(real: np.ndarray, made: np.ndarray) -> float:
    return float(roc_auc_score(np.arange(len(real) + len(made)) < len(real), np.concatenate([real, made])))


def _told(
    areas: Sequence[_Area], sets: Mapping[str, Sequence[Fingerprint]], populations: Populations, seed: int
) -> Told:
    publishers, generators = (
        list(dict.fromkeys(own.values())) for own in (populations.publishers, populations.generators)
    )
    shape = (2, len(publishers), len(generators))
    tables, counts = np.zeros(shape), np.zeros(shape)
    for publisher, generator, seen, area in areas:
        place = int(seen), publishers.index(publisher), generators.index(generator)
        tables[place] += area
        counts[place] += 1
    unseen, known = tables / counts
    return Told(
        both_ways(unseen, seed),
        {name: over_sources(row, seed) for name, row in zip(publishers, unseen, strict=True)},
        {name: dict(zip(generators, row, strict=True)) for name, row in zip(publishers, unseen.tolist(), strict=True)},
        both_ways(known, seed),
        (
            sum(len(sets[name]) for name in populations.publishers),
            sum(len(sets[name]) for name in populations.generators),
        ),
    )


def less(ours: Told, theirs: Told, seed: int = 0) -> Mean:
    """The paired difference of two methods, over the same publishers and generators."""
    one, other = (np.array([list(row.values()) for row in told.by_pair.values()]) for told in (ours, theirs))
    return both_ways(one - other, seed)


def both_ways(areas: np.ndarray, seed: int = 0, draws: int = 2000) -> Mean:
    """The mean of ``(publishers, generators)``, with its 95 % interval by drawing both anew."""
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(count, size=(draws, count)) for count in areas.shape)
    means = areas[rows[:, :, None], columns[:, None, :]].mean((1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return Mean(float(areas.mean()), float(low), float(high), sum(areas.shape))
