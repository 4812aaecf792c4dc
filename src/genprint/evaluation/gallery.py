"""A gallery's validation: what its own images, held back, are answered at each size, condition and number of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from genprint.answers.attribution import SHORTLIST, Identifier
from genprint.evaluation.calibration import summarise
from genprint.evaluation.deliveries import delivered
from genprint.evaluation.intervals import over_sources
from genprint.evaluation.validation import Rates, Ratios, Share, Validation, span
from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.images.processing import Processing
from genprint.images.sets import ImageSetError
from genprint.model import Model
from genprint.scoring.threads import one_thread
from genprint.storage.files import digest
from genprint.words import counted

#: Sources that are left out in turn at once, at most in so many groups: each takes a gallery of its own.
GROUPS = 20
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
        found: dict[str, dict[str, Fingerprint]] = {ORIGINAL: dict(self.held), **{name: {} for name in conditions}}
        for (condition, processing), (name, source) in product(conditions.items(), self.held.items()):
            if images := delivered(source, processing):
                found[condition][name] = model.fingerprint(images, progress)
        return found


@dataclass(frozen=True)
class _Said:
    """What is said of a probe.

    Attributes:
        source: that it is attributed to; None for nothing.
        llr: calibrated log ratio of the source that is asked about; None where calibration supports none.
        cap: of that ratio.
    """

    source: str | None
    llr: float | None
    cap: float


@dataclass(frozen=True)
class _Trial:
    """A set of held-back images: its source, its condition, its size, and what is said of it.

    Attributes:
        of_all: with all sources enrolled.
        of_others: with its own left out.
    """

    source: str
    condition: str
    images: int
    of_all: _Said
    of_others: _Said


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
    everyone = _Asking(model, division.known, rate)
    of_all = [
        everyone(probe, name, progress) for name, _, probe in sets
    ]  # one condition after the other: each is made once
    trials, reached = [], 0.0
    for group in np.array_split(list(division.held), min(GROUPS, len(division.held))):
        others = _Asking(model, {name: own for name, own in division.known.items() if name not in group}, rate)
        reached = max(reached, others.rate)
        for (source, condition, probe), said in zip(sets, of_all, strict=True):
            if source in group:
                said_without = others(probe, None, progress)
                if said and said_without:
                    trials.append(_Trial(source, condition, len(probe), said, said_without))
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


class _Asking:
    """Asks a gallery of some of the images."""

    def __init__(self, model: Model, known: Mapping[str, Fingerprint], rate: float):
        self._identifier = Identifier(model, known, rate)
        self._known = known

    @property
    def rate(self) -> float:
        """Of false attributions that so many sources support."""
        return self._identifier.rate

    def __call__(self, probe: Fingerprint, own: str | None, progress: Progress | None = None) -> _Said | None:
        """What is said of a probe, and the ratio for its own source, or, if that is not enrolled, for the best one.

        Returns:
            None if all its images are enrolled under another name.
        """
        try:
            found = self._identifier.identify(probe, grown=False)
        except ImageSetError:
            return None
        finally:
            if progress:
                progress(1)
        assert found.evidence
        ratio = found.evidence.ratio
        if ratio is None:
            return _Said(found.source, None, np.inf)
        if own in (None, found.evidence.candidates[0].source):
            return _Said(found.source, ratio.llr, ratio.cap)
        enrolled, compared = self._identifier.enrolled.match([probe.without(self._known).ordered()])
        (probe,) = compared.probes
        system = enrolled.ratios(found.evidence.p_counts)
        calibrated = system.calibration(len(probe))
        assert calibrated
        assert own
        return _Said(
            found.source, float(calibrated.llr(system.features(probe, enrolled.names.index(own)))[0]), ratio.cap
        )


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
            right=share(lambda trial: trial.of_all.source == trial.source),
            wrong=share(lambda trial: trial.of_all.source not in (None, trial.source)),
            false=share(lambda trial: trial.of_others.source is not None),
        )


def _ratios(trials: Sequence[_Trial], seed: int) -> Iterator[Ratios]:
    by_cell: dict[tuple[str, int], list[_Trial]] = {}
    for trial in trials:
        if trial.of_all.llr is not None and trial.of_others.llr is not None:
            by_cell.setdefault((trial.condition, trial.images), []).append(trial)
    for cell, own in by_cell.items():
        same: dict[str, tuple[float, ...]] = {}
        best: dict[str, tuple[float, ...]] = {}
        for trial in own:
            assert trial.of_all.llr is not None
            assert trial.of_others.llr is not None
            same[trial.source] = (*same.get(trial.source, ()), trial.of_all.llr)
            best[trial.source] = (*best.get(trial.source, ()), trial.of_others.llr)
        yield Ratios(*cell, summarise(same, best, min(trial.of_others.cap for trial in own), seed))


def _lacking(division: Division, asked: Mapping[str, Mapping[str, Fingerprint]], sizes: Sequence[int]) -> Iterator[str]:
    """What could not be measured."""
    if division.sources > len(division.known):
        yield f"{len(division.known)} of {counted(division.sources, 'source')} were drawn, and no more was measured."
    if alone := len(division.known) - len(division.held):
        yield f"{counted(alone, 'source')} of fewer than {_LEAST} images stayed enrolled and were not asked about."
    for condition, sources in asked.items():
        largest = max(map(len, sources.values()), default=0)
        if sources and (beyond := [size for size in sizes if size > largest]):
            few = f"no source has more than {counted(largest, 'image')} to hold back"
            yield f"Condition {condition}: sets of {', '.join(map(str, beyond))} could not be asked, for {few}."
        if lost := len(division.held) - len(sources):
            none = "no whole originals are kept"
            yield f"Condition {condition}: {counted(lost, 'source')} could not be asked about, for {none}."
