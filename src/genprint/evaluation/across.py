"""Across publishers: generators are enrolled as one publisher left their images, and asked as another did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genprint.evaluation.attributability import named
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.words import counted

#: Publisher of the enrolled set, and of the probes.
Pair = tuple[str, str]


@dataclass(frozen=True)
class Label:
    """What is known of an image set.

    Attributes:
        generator: that made it; sets of one generator are relatives.
        publisher: who published it: site, collection, pipeline.
        content: sets that are alike in this show the same under one file name (less its ending); '' if nothing is
            known of that.
    """

    generator: str
    publisher: str
    content: str = ""


@dataclass(frozen=True)
class Across:
    """Probes of one publisher, asked of what another has.

    Attributes:
        top1: by the number of images in a probe, a mean over generators.
        chance: of the right set, mean over generators.
        by_generator: rate of each, by the number of images in a probe.
    """

    top1: dict[int, Mean]
    chance: float
    by_generator: dict[int, dict[str, float]] = field(repr=False)


def across(  # noqa: PLR0913
    fingerprints: Mapping[str, Fingerprint],
    comparer: Comparer,
    labels: Mapping[str, Label],
    enrolled: int,
    sizes: Sequence[int],
    repeats: int = 3,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
    alike: bool = False,
) -> dict[Pair, Across]:
    """Top-1 by ordered pair of publishers.

    One publisher's set of a generator is enrolled among all sets of the other generators, whoever published them; every
    other relative is left out. Probes are of another publisher's set of the generator, or, where a pair is of one
    publisher, of the set's own other images: that is what the others are to be compared with. No image is on both
    sides, nor is what labels call the same content.

    Args:
        fingerprints: of each set, by name.
        comparer: scores probes against the gallery.
        labels: of each set.
        enrolled: images of each set in the gallery.
        sizes: of probes, in images; a size that some set cannot give is left out.
        repeats: divisions of the images.
        seed: of these.
        progress: called after every gallery.
        alike: of other generators that the enrolled set's publisher has, only its own sets are enrolled; else some of
            those that are enrolled may be of the probe's publisher, and look like the probe for that.

    Raises:
        ValueError: no generator has two publishers, or a set has too few images.
    """
    targets = _targets(labels, fingerprints)
    few = min(fingerprints, key=lambda name: len(fingerprints[name]))
    if len(fingerprints[few]) < enrolled:
        raise ValueError(f"{few}: {counted(len(fingerprints[few]), 'image')}: too few to enroll {enrolled}")
    divisions = [_divided(fingerprints, labels, enrolled, [seed, repeat]) for repeat in range(repeats)]
    left, fewest = min((len(asked[name]), name) for _, asked in divisions for name in targets)
    possible = [size for size in sizes if size <= left]
    if not possible:
        raise ValueError(
            f"{fewest}: {counted(len(fingerprints[fewest]), 'image')}: too few to enroll {enrolled} and probe with "
            f"{min(sizes)} that are not enrolled anywhere"
        )
    hits: dict[tuple[Pair, int, str], list[float]] = {}
    chances: dict[Pair, list[float]] = {}
    for known, asked in divisions:
        for name, relatives in targets.items():
            own = labels[name]
            others = _others(labels, fingerprints, own, alike)
            gallery = [fingerprints[one][known[one]] for one in (name, *others)]
            probes, of = [], []
            for relative in (name, *relatives):
                rows, pair = asked[relative], (own.publisher, labels[relative].publisher)
                chances.setdefault(pair, []).append(1 / len(gallery))
                for size in possible:
                    starts = range(0, len(rows) - size + 1, size)
                    probes += [fingerprints[relative][rows[start : start + size]] for start in starts]
                    of += [(pair, size, own.generator)] * len(starts)
            right = named(comparer.score(probes, gallery), [0] * len(probes))
            for one, hit in zip(of, right, strict=True):
                hits.setdefault(one, []).append(float(hit))
            if progress:
                progress()
    found = {}
    for pair in sorted(chances):
        rates = {
            size: {one[2]: float(np.mean(own)) for one, own in hits.items() if one[:2] == (pair, size)}
            for size in possible
        }
        means = {size: over_sources(list(own.values()), seed) for size, own in rates.items()}
        found[pair] = Across(means, float(np.mean(chances[pair])), rates)
    return found


def galleries(labels: Mapping[str, Label]) -> int:
    """How many galleries a division of the images asks: one for each set that has a relative of another publisher."""
    return len(_targets(labels, labels))


def over_pairs(found: Mapping[Pair, Across], seed: int = 0) -> Across:
    """All pairs of two publishers together: of each generator the mean over its pairs, then over generators."""
    apart = [one for (enrolled, asked), one in found.items() if enrolled != asked]
    rates: dict[int, dict[str, float]] = {}
    for size in apart[0].top1:
        names = sorted({name for one in apart for name in one.by_generator[size]})
        rates[size] = {
            name: float(np.mean([one.by_generator[size][name] for one in apart if name in one.by_generator[size]]))
            for name in names
        }
    means = {size: over_sources(list(own.values()), seed) for size, own in rates.items()}
    return Across(means, float(np.mean([one.chance for one in apart])), rates)


def less(ours: Across, theirs: Across, seed: int = 0) -> dict[int, Mean]:
    """The paired difference of two methods by the number of images in a probe, over generators."""
    both = ours.by_generator.keys() & theirs.by_generator.keys()
    return {
        size: over_sources([rate - theirs.by_generator[size][name] for name, rate in own.items()], seed)
        for size, own in ours.by_generator.items()
        if size in both
    }


def _targets(labels: Mapping[str, Label], names: Mapping[str, object]) -> dict[str, list[str]]:
    """Of each set that has any, its relatives of other publishers."""
    found = {
        name: [
            other
            for other in names
            if labels[other].generator == labels[name].generator and labels[other].publisher != labels[name].publisher
        ]
        for name in names
    }
    targets = {name: relatives for name, relatives in found.items() if relatives}
    if not targets:
        raise ValueError("no generator has image sets of two publishers")
    if len({labels[name].generator for name in names}) < 2:
        raise ValueError("all sets are of one generator; there is nothing to tell it from")
    return targets


def _others(labels: Mapping[str, Label], names: Iterable[str], own: Label, alike: bool) -> list[str]:
    """Sets of the other generators; if so wanted, those of the same publisher alone where it has any."""
    others = [name for name in names if labels[name].generator != own.generator]
    if not alike:
        return others
    there = {labels[name].generator for name in others if labels[name].publisher == own.publisher}
    return [name for name in others if labels[name].publisher == own.publisher or labels[name].generator not in there]


def _divided(
    fingerprints: Mapping[str, Fingerprint], labels: Mapping[str, Label], enrolled: int, seed: Sequence[int]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows of each set to enroll, and rows to ask, in random order: those whose content is enrolled nowhere."""
    shown = {name: _content(source, labels[name].content) for name, source in fingerprints.items()}
    every = sorted({one for own in shown.values() for one in own})
    rank = dict(zip(every, np.random.default_rng(seed).permutation(len(every)).tolist(), strict=True))
    orders = {name: np.argsort([rank[one] for one in own], kind="stable") for name, own in shown.items()}
    known = {name: order[:enrolled] for name, order in orders.items()}
    taken = {shown[name][row] for name, rows in known.items() for row in rows}
    asked = {
        name: np.array([row for row in order[enrolled:] if shown[name][row] not in taken], int)
        for name, order in orders.items()
    }
    return known, asked


def _content(source: Fingerprint, content: str) -> list[tuple[str, str]]:
    """What each image shows, as far as labels say; at least a file is itself."""
    if not content:
        return [("", digest) for digest in source.digests]
    if not source.names:
        raise ValueError(f"{source.source}: its images have no names, so that nobody knows which show the same")
    return [(content, Path(name).stem) for name in source.names]
