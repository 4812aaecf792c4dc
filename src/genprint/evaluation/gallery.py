"""A gallery's validation: what its own images, held back, are answered at each size, condition and number of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from genprint.answers.attribution import SHORTLIST, Identifier
from genprint.answers.results import plain_values
from genprint.evaluation.calibration import Calibration, summarise
from genprint.evaluation.deliveries import delivered
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.conditions import KEPT, ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.enrolled import Enrolled
from genprint.images.processing import Processing
from genprint.images.sets import ImageSetError
from genprint.model import Model
from genprint.scoring.base import Enrollment
from genprint.scoring.likelihood_ratio import LikelihoodRatioSystem, calibration_features
from genprint.scoring.threads import one_thread
from genprint.storage.files import digest
from genprint.words import counted

#: Sources that are left out in turn at once, at most in so many groups: each takes a gallery of its own.
GROUPS = 20
#: Fewer sets or sources than these say too little to go by.
ENOUGH_SETS, ENOUGH_SOURCES = 20, 5
_LEAST = 4  # images of a source that are divided: two to enroll, two to ask


@dataclass(frozen=True)
class Division:
    """A gallery's images, divided into those that stay enrolled and those that are held back and asked.

    Attributes:
        known: what stays enrolled of each source.
        held: what is held back, of each source of which something is.
        sources: how many the gallery has.
    """

    known: dict[str, Fingerprint]
    held: dict[str, Fingerprint]
    sources: int

    @classmethod
    def of(cls, fingerprints: Mapping[str, Fingerprint], seed: int = 0) -> Division:
        """Half of each source's images are held back, and half of those whose originals are kept.

        An image that is enrolled under two names falls on the same side of both. Of more than ``SHORTLIST`` sources,
        as many are drawn, for no probe is compared closely with more.

        Raises:
            ValueError: fewer than four sources have four images.
        """
        order = sorted(fingerprints, key=lambda name: digest(f"{seed} {name}".encode()))
        chosen = {name: fingerprints[name] for name in sorted(order[:SHORTLIST])}
        known, held = {}, {}
        for name, source in chosen.items():
            at_hand = set(source.kept().digests)
            drawn = sorted(range(len(source)), key=lambda i: digest(f"{seed} {source.digests[i]}".encode()))
            parts = [[i for i in drawn if (source.digests[i] in at_hand) == kept] for kept in (True, False)]
            asked = [i for part in parts for i in part[(len(part) + 1) // 2 :]] if len(source) >= _LEAST else []
            known[name] = source[sorted(set(drawn) - set(asked))]
            if asked:
                held[name] = source[asked]
        if len(held) < _LEAST:
            raise ValueError(
                f"a validation takes {_LEAST} sources of {_LEAST} images or more, one of them unknown in its turn; "
                f"there are {len(held)}: enroll more"
            )
        return cls(known, held, len(fingerprints))

    def deliveries(
        self, model: Model, conditions: Mapping[str, Processing], progress: Progress | None = None
    ) -> dict[str, dict[str, Fingerprint]]:
        """By condition, the held-back images of each source that can be had in it; of the original, all.

        Args:
            model: that fingerprints them.
            conditions: by name; images go through them and are saved anew, as files of their own.
            progress: called with the number of images done since its last call.
        """
        expect(progress, len(conditions) * sum(len(source.kept()) for source in self.held.values()))
        found: dict[str, dict[str, Fingerprint]] = {ORIGINAL: dict(self.held)}
        for (condition, processing), (name, source) in product(conditions.items(), self.held.items()):
            if images := delivered(source, processing):
                found.setdefault(condition, {})[name] = model.fingerprint(images, progress)
        return found


@dataclass(frozen=True)
class Share:
    """How many of some sets came out so, and the mean over sources of the share that did."""

    count: int
    sets: int
    mean: Mean


@dataclass(frozen=True)
class Rates:
    """What became of sets of one size, condition and number of images.

    Attributes:
        px: of the images' longer side, from and to; '' where the gallery does not say it.
        condition: in which they were delivered.
        images: in a set.
        right: attributed to their source.
        wrong: attributed to another one, though their own was enrolled.
        false: attributed, while their source was not enrolled.
    """

    px: str
    condition: str
    images: int
    right: Share
    wrong: Share
    false: Share

    @property
    def enough(self) -> bool:
        """Whether there are so many sets and sources that the rates say something."""
        return self.right.sets >= ENOUGH_SETS and self.right.mean.sources >= ENOUGH_SOURCES


@dataclass(frozen=True)
class Ratios:
    """What likelihood ratios were worth of sets in one condition, of one number of images.

    They are as answers give them: for the probe's own source, and, where that is not enrolled, for the best of the others.
    """

    condition: str
    images: int
    calibration: Calibration

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, of the ratios themselves their percentiles: a Tippett plot needs no more."""
        found = self.calibration
        values = plain_values(found)
        for kind in ("same", "different"):
            every = np.concatenate([np.array(llrs) for llrs in getattr(found, kind).values()])
            values[kind] = {"ratios": len(every), "percentiles": np.percentile(every, range(101)).round(4).tolist()}
        return {"condition": self.condition, "images": self.images, **values}


@dataclass(frozen=True)
class Validation:
    """What a gallery's answers are worth, by its own images.

    Attributes:
        rate: of false attributions that was asked for, or the least that so many sources support.
        rates: by size, condition and number of images.
        ratios: by condition and number of images.
        known: images of each source that stayed enrolled while the others were asked.
        held: images held back.
        sources: of the gallery.
        lacking: what could not be measured, in sentences.
    """

    rate: float
    rates: tuple[Rates, ...]
    ratios: tuple[Ratios, ...]
    known: dict[str, int] = field(repr=False)
    held: dict[str, int] = field(repr=False)
    sources: int
    lacking: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        rates = [{**plain_values(one), "enough": one.enough} for one in self.rates]
        return {**plain_values(self), "rates": rates, "ratios": [one.to_dict() for one in self.ratios]}


@dataclass(frozen=True)
class _Trial:
    """A set of held-back images, and what came of it."""

    source: str
    condition: str
    images: int
    of_all: str | None
    of_others: str | None
    same: float | None
    different: float | None
    cap: float


@one_thread
def validate(
    model: Model,
    division: Division,
    asked: Mapping[str, Mapping[str, Fingerprint]],
    sizes: Sequence[int],
    rate: float = 0.05,
    most: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> Validation:
    """Asks sets of the held-back images twice: with all sources enrolled, and with their own left out.

    Args:
        model: of the gallery.
        division: of its images.
        asked: what is asked, by condition and source; see ``Division.deliveries``.
        sizes: images in a set.
        rate: of false attributions wanted.
        most: disjoint sets of a source, at each size and condition.
        seed: of what is drawn.
        progress: called twice for each set; ``expect`` of it is told how often.
    """
    sets = list(_sets(asked, sizes, most))
    expect(progress, 2 * len(sets))
    everyone = Identifier(model, division.known, rate)
    found = []
    for _, _, probe in sets:  # one condition after the other, so that each is made once
        found.append(_named(everyone, probe))
        if progress:
            progress(1)
    trials, reached = [], 0.0
    for group in np.array_split(list(division.held), min(GROUPS, len(division.held))):
        left = _LeftOut(model, division.known, set(group.tolist()), rate)
        reached = max(reached, left.identifier.rate)
        for (source, condition, probe), of_all in zip(sets, found, strict=True):
            if source in left.group:
                trials += left.asked(source, condition, probe, of_all)
                if progress:
                    progress(1)
    return Validation(
        reached, tuple(_rates(trials, division.held, seed)), tuple(_ratios(trials, seed)),
        {name: len(source) for name, source in division.known.items()},
        {name: len(source) for name, source in division.held.items()},
        division.sources, tuple(_lacking(division, asked, sizes)),
    )  # fmt: skip


def _sets(
    asked: Mapping[str, Mapping[str, Fingerprint]], sizes: Sequence[int], most: int
) -> Iterator[tuple[str, str, Fingerprint]]:
    """Source, condition and fingerprint of disjoint sets."""
    for condition, sources in asked.items():
        for size, (name, source) in product(sizes, sources.items()):
            for at in range(min(most, len(source) // size)):
                yield name, condition, source[np.arange(at * size, (at + 1) * size)]


_NOT_ASKED = ""  # all images of a set are enrolled under another name


def _named(identifier: Identifier, probe: Fingerprint) -> str | None:
    """What a probe is attributed to; None for nothing."""
    try:
        return identifier.identify(probe, weigh=False).source
    except ImageSetError:
        return _NOT_ASKED


@dataclass(frozen=True)
class _Weighing:
    """What weighs probes in one condition, without their source.

    Attributes:
        rest: the other sources.
        calibrations: of ratios for these.
        own: the other sources and, last, the probes' own; None if that cannot be had in the condition.
    """

    rest: Enrollment
    calibrations: LikelihoodRatioSystem
    own: Enrollment | None


class _LeftOut:
    """The gallery without some sources, which are unknown to it, to its thresholds and to its calibration."""

    def __init__(self, model: Model, known: Mapping[str, Fingerprint], group: set[str], rate: float):
        self.group = group
        self._model, self._known = model, known
        self.identifier = Identifier(model, {n: own for n, own in known.items() if n not in group}, rate)
        self._weighings: dict[tuple[str, Processing | None], _Weighing] = {}

    def asked(self, source: str, condition: str, probe: Fingerprint, of_all: str | None) -> list[_Trial]:
        """What comes of one set; nothing if its images are enrolled under another name, too."""
        of_others = _named(self.identifier, probe)
        if _NOT_ASKED in (of_all, of_others):
            return []
        return [_Trial(source, condition, len(probe), of_all, of_others, *self._weighed(source, probe))]

    def _weighed(self, source: str, probe: Fingerprint) -> tuple[float | None, float | None, float]:
        """Calibrated log ratios of a probe, as answers give them, by a calibration without its source; and their cap.

        For its own source, and, where that is not enrolled, for the best of the others.
        """
        enrolled, compared = self.identifier.enrolled.match([probe.without(self._known).ordered()])
        key = source, compared.processing
        if key not in self._weighings:
            self._weighings[key] = self._weighing(source, enrolled, compared.processing)
        weighing = self._weighings[key]
        calibrated = weighing.calibrations.calibration(len(probe))
        if calibrated is None or weighing.own is None:
            return None, None, np.inf
        others = weighing.rest.llr(compared.probes)
        same = calibrated.llr(calibration_features(weighing.own.llr(compared.probes))[0, -1])
        different = calibrated.llr(calibration_features(others)[0, others[0].argmax()])
        return float(same), float(different), calibrated.cap

    def _weighing(self, source: str, enrolled: Enrolled, processing: Processing | None) -> _Weighing:
        own = self._known[source]
        if processing:
            own = own.kept(KEPT)
        both = None
        if len(own):
            adapted = self._model.scorer.adapt(enrolled.fingerprints)
            both = adapted.enroll([*enrolled.fingerprints, own.under(processing) if processing else own])
        return _Weighing(enrolled.known, LikelihoodRatioSystem(enrolled.cohort), both)


def _rates(trials: Sequence[_Trial], held: Mapping[str, Fingerprint], seed: int) -> Iterator[Rates]:
    by_cell: dict[tuple[str, str, int], dict[str, list[_Trial]]] = {}
    for trial in trials:
        cell = span(held[trial.source].side), trial.condition, trial.images
        by_cell.setdefault(cell, {}).setdefault(trial.source, []).append(trial)
    for cell, sources in by_cell.items():

        def share(holds: Callable[[_Trial], bool], sources: Mapping[str, list[_Trial]] = sources) -> Share:
            hits = [[holds(trial) for trial in own] for own in sources.values()]
            mean = over_sources([float(np.mean(own)) for own in hits], seed)
            return Share(sum(map(sum, hits)), sum(map(len, hits)), mean)

        yield Rates(
            *cell,
            right=share(lambda trial: trial.of_all == trial.source),
            wrong=share(lambda trial: trial.of_all not in (None, trial.source)),
            false=share(lambda trial: trial.of_others is not None),
        )


def _ratios(trials: Sequence[_Trial], seed: int) -> Iterator[Ratios]:
    by_cell: dict[tuple[str, int], list[_Trial]] = {}
    for trial in trials:
        if trial.same is not None:
            by_cell.setdefault((trial.condition, trial.images), []).append(trial)
    for cell, own in by_cell.items():
        same: dict[str, tuple[float, ...]] = {}
        different: dict[str, tuple[float, ...]] = {}
        for trial in own:
            same[trial.source] = (*same.get(trial.source, ()), trial.same)
            different[trial.source] = (*different.get(trial.source, ()), trial.different)
        yield Ratios(*cell, summarise(same, different, min(trial.cap for trial in own), seed))


def span(side: float | None) -> str:
    """The octave that a longer side lies in, in pixels.

    Example:
        >>> span(32), span(33), span(500), span(None)
        ('17 to 32', '33 to 64', '257 to 512', '')
    """
    if not side:
        return ""
    octave = int(np.ceil(np.log2(max(side, 1))))
    return f"{2 ** (octave - 1) + 1} to {2**octave}" if octave else "1"


def _lacking(
    division: Division, asked: Mapping[str, Mapping[str, Fingerprint]], sizes: Sequence[int]
) -> Iterator[str]:
    """What could not be measured."""
    if division.sources > len(division.known):
        yield f"{len(division.known)} of {counted(division.sources, 'source')} were drawn, and no more was measured."
    if alone := len(division.known) - len(division.held):
        yield f"{counted(alone, 'source')} of fewer than {_LEAST} images stayed enrolled and were not asked about."
    for condition, sources in asked.items():
        largest = max(map(len, sources.values()))
        if beyond := [size for size in sizes if size > largest]:
            few = f"no source has more than {counted(largest, 'image')} to hold back"
            yield f"Condition {condition}: sets of {', '.join(map(str, beyond))} could not be asked, for {few}."
        if lost := len(division.held) - len(sources):
            yield f"Condition {condition}: no whole originals of {counted(lost, 'source')} are kept, so these are lacking."
