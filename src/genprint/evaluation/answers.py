"""Answers: what ``genprint attribute`` says at its threshold, right and wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genprint.answers.attribution import Identifier
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.model import Model
from genprint.words import counted


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
    rates, found = [], []
    for repeat in range(repeats):
        division = _divided(fingerprints, enrolled, size, most, seed + repeat)
        reached, named = identified(model, *division, groups, rate, progress)
        rates.append(reached)
        found.append(shares(named))
    return Answers(max(rates), *(over_sources(row, seed) for row in np.mean(found, axis=0)))


def _divided(
    fingerprints: Mapping[str, Fingerprint], enrolled: int, size: int, most: int, seed: int
) -> tuple[dict[str, Fingerprint], dict[str, list[Fingerprint]]]:
    """Enrolled images of each source, and disjoint probes from its others."""
    rng = np.random.default_rng(seed)
    known: dict[str, Fingerprint] = {}
    probes: dict[str, list[Fingerprint]] = {}
    for name, source in fingerprints.items():
        if len(source) < enrolled + size:
            raise ValueError(
                f"{name}: {counted(len(source), 'image')}: too few to enroll {enrolled} and probe with {size}"
            )
        order = rng.permutation(len(source))
        known[name] = source[order[:enrolled]]
        starts = range(enrolled, len(source) - size + 1, size)[:most]
        probes[name] = [source[order[start : start + size]] for start in starts]
    return known, probes


@dataclass(frozen=True)
class Named:
    """What a probe was attributed to, None for nothing: with all sources enrolled, and with its group left out."""

    of_all: str | None
    of_others: str | None


def identified(
    model: Model,
    known: Mapping[str, Fingerprint],
    probes: Mapping[str, Sequence[Fingerprint]],
    groups: Mapping[str, str],
    rate: float,
    progress: Callable[[], None] | None = None,
) -> tuple[float, dict[str, list[Named]]]:
    """Identifies each source's probes twice; with it, the rate of false attributions that could be had.

    Args:
        model: of the fingerprints.
        known: what is enrolled of each source, by name.
        probes: of these sources.
        groups: of each source: what is not enrolled when it is unknown.
        rate: of false attributions wanted.
        progress: called after every source.
    """
    everyone = Identifier(model, known, rate)
    without: dict[str, Identifier] = {}
    found: dict[str, list[Named]] = {}
    for name, sets in probes.items():
        group = groups[name]
        if group not in without:
            rest = {other: source for other, source in known.items() if groups[other] != group}
            without[group] = Identifier(model, rest, rate)
        found[name] = [
            Named(*(one.identify(probe, grown=False).source for one in (everyone, without[group]))) for probe in sets
        ]
        if progress:
            progress()
    return max(identifier.rate for identifier in without.values()), found


def shares(named: Mapping[str, Sequence[Named]]) -> np.ndarray:
    """False, right and wrong of each source, ``(3, sources)``."""
    return np.array(
        [
            [np.mean([answer.of_others is not None for answer in answers]) for answers in named.values()],
            [np.mean([answer.of_all == name for answer in answers]) for name, answers in named.items()],
            [np.mean([answer.of_all not in (None, name) for answer in answers]) for name, answers in named.items()],
        ]
    )
