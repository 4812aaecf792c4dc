"""Answers: what ``genprint attribute`` says at its threshold, right and wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genprint.answers.attribution import Identifier
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.model import Model


@dataclass(frozen=True)
class Answers:
    """Shares of probes, as means over sources.

    Attributes:
        rate: of false attributions that was asked for, or the least that so many sources support.
        false: attributed, though their source was not enrolled.
        right: attributed to their source.
        wrong: attributed to another source, though the right one was enrolled.
    """

    rate: float
    false: Mean
    right: Mean
    wrong: Mean


def answers(  # noqa: PLR0913
    model: Model,
    fingerprints: Mapping[str, Fingerprint],
    groups: Mapping[str, str],
    enrolled: int = 32,
    size: int = 10,
    rate: float = 0.1,
    most: int = 10,
    repeats: int = 1,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> Answers:
    """Identifies probes of each source twice: with all sources enrolled, and with its group left out.

    Args:
        model: of the fingerprints.
        fingerprints: of each source, by name.
        groups: of each source: what is not enrolled when it is unknown. Its own name: the source alone.
        enrolled: images of each source in the gallery.
        size: images in a probe.
        rate: of false attributions wanted; raised to what the sources support.
        most: disjoint probes of a source.
        repeats: divisions of each source's images into enrolled ones and probes.
        seed: of these.
        progress: called after every source.

    Raises:
        ValueError: a source has too few images, or a group is all there is.
    """
    rates, shares = [], []
    for repeat in range(repeats):
        division = _divided(fingerprints, enrolled, size, most, seed + repeat)
        reached, found = _shares(model, *division, groups, rate, progress)
        rates.append(reached)
        shares.append(found)
    return Answers(max(rates), *(over_sources(row, seed) for row in np.mean(shares, axis=0)))


def _divided(
    fingerprints: Mapping[str, Fingerprint], enrolled: int, size: int, most: int, seed: int
) -> tuple[dict[str, Fingerprint], dict[str, list[Fingerprint]]]:
    """Enrolled images of each source, and disjoint probes from its others."""
    rng = np.random.default_rng(seed)
    known: dict[str, Fingerprint] = {}
    probes: dict[str, list[Fingerprint]] = {}
    for name, source in fingerprints.items():
        if len(source) < enrolled + size:
            raise ValueError(f"{name}: {len(source)} images are too few to enroll {enrolled} and probe with {size}")
        order = rng.permutation(len(source))
        known[name] = source[order[:enrolled]]
        starts = range(enrolled, len(source) - size + 1, size)[:most]
        probes[name] = [source[order[start : start + size]] for start in starts]
    return known, probes


def _shares(
    model: Model,
    known: Mapping[str, Fingerprint],
    probes: Mapping[str, Sequence[Fingerprint]],
    groups: Mapping[str, str],
    rate: float,
    progress: Callable[[], None] | None,
) -> tuple[float, np.ndarray]:
    """The rate that could be had, and false, right and wrong of each source, ``(3, sources)``, in one division."""
    everyone = Identifier(model, known, rate)
    without: dict[str, Identifier] = {}
    false, right, wrong = [], [], []
    for name, sets in probes.items():
        group = groups[name]
        if group not in without:
            rest = {other: found for other, found in known.items() if groups[other] != group}
            without[group] = Identifier(model, rest, rate)
        named = [everyone.identify(probe, weigh=False).source for probe in sets]
        right.append(np.mean([answer == name for answer in named]))
        wrong.append(np.mean([answer not in (None, name) for answer in named]))
        false.append(np.mean([without[group].identify(probe, weigh=False).source is not None for probe in sets]))
        if progress:
            progress()
    return max(identifier.rate for identifier in without.values()), np.array([false, right, wrong])
