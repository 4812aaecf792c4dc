"""Matching: a probe and the enrolled sources are compared in one condition, as far as they can be brought to one.

Enrolled images are brought to the probe's condition, for it cannot come out of that. Where all of them were saved with
loss, alike, and it was not, they cannot come out of that: then the probe is saved as they are. On the test bed of
benchmarks/pictures.py, that names 37 % of sets of ten right where 24 % were. A probe that was saved with less loss than
they were is better left as it is (32 % for 47), and so is a lossless one where only some of them were saved with loss
(42 % for 55): then the answer says that it cannot be equalised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from genprint.fingerprints.conditions import KEPT, ORIGINAL, SHIFTS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.processing import Chain, Processing
from genprint.images.saving import alike
from genprint.scoring.base import ByScorer, Densities, Enrollment, Scorer
from genprint.scoring.conditions import InCondition, candidates, likeliest, match, resized, side_of
from genprint.scoring.equalising import ALL, brought, common_of, shared_savings
from genprint.scoring.found import ConditionFound
from genprint.scoring.population import ReferencePopulation
from genprint.scoring.posterior import RoughPosterior
from genprint.scoring.told import Told
from genprint.words import in_words

# Enrolled images, of all sources together, that candidates are tried on; at least so many of each.
_TRIED, _FEWEST = 64, 2


def few(sources: int) -> int:
    """Images of each of so many sources that candidates are tried on."""
    return max(_FEWEST, _TRIED // sources)


def can_match(gallery: Sequence[Fingerprint]) -> bool:
    """Whether there are originals of every source, so that it can be had in other conditions."""
    return bool(gallery) and all(len(source.kept(1)) for source in gallery)


def in_condition(
    gallery: Sequence[Fingerprint],
    processing: Processing | None = None,
    most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Fingerprint]:
    """The sources in a condition, or as they are, by no more than so many images of each."""
    kept = [source if most is None else source.kept(most) for source in gallery]
    return [source.under(processing, progress) for source in kept] if processing else kept


@dataclass(frozen=True)
class Comparison:
    """How probes and enrolled sources are compared.

    Attributes:
        probes: as they are compared.
        processing: that the sources are brought to; None: they are compared as they are.
        found: what was found of the probes' condition, if anything.
        large: whether the probes' images, as they came, are so large that their pixels tell something.
    """

    probes: Sequence[Fingerprint]
    processing: Processing | None = None
    found: ConditionFound | None = None
    large: bool = False

    @property
    def as_they_came(self) -> bool:
        """Whether probes and sources came in one condition, as far as can be seen; of small images, too little is."""
        return self.found is None or not self.large

    @property
    def name(self) -> str:
        """Of the condition that both are compared in; 'original' for as they are."""
        brought_to = self.found.brought_to if self.found else None
        return self.processing.name if self.processing else brought_to or ORIGINAL


@dataclass(frozen=True)
class Matching:
    """Says how probes are compared with some enrolled sources.

    Attributes:
        gallery: the sources.
        scorer: as it was learned.
        population: sources in many conditions, if there is one; see ``candidates``.
        original: all the images of the sources, as they are.
        tried: the sources by a few images of each, roughly.
        known: the sources by ``KEPT`` images of each.
        saved: how each source's files were saved; see ``shared_savings``.
    """

    gallery: Sequence[Fingerprint]
    scorer: Scorer
    population: ReferencePopulation | None
    original: Callable[[], Densities]
    tried: InCondition
    known: InCondition
    saved: Callable[[], Mapping[str, Processing | None]]

    def candidates(self, told: Told) -> list[Processing]:
        """Conditions, beside the original, that the probes may well be in; they share one."""
        if not self._can_match:
            return []
        return candidates(told, self.original(), self.scorer, self.population, self._side)

    def compared(self, probes: Sequence[Fingerprint]) -> Comparison:
        """How these probes, which share a condition, are compared."""
        told = Told.of(probes)
        return replace(self._compared(told), large=told.large)

    def _compared(self, told: Told) -> Comparison:
        probes = told.probes
        if told.large and told.files.lossless(ALL) and not told.last and not resized(told.side, self._side):
            common = common_of(self.saved().values())
            if common and (found := self._brought(told, common)):
                saved_so, way = found
                return Comparison(saved_so, None, ConditionFound.of(told, brought_to=way))
        if not self._can_match:
            return Comparison(probes, None, self._as_they_are(told))
        processing, gained = match(self.tried, self.known, self.candidates(told), told)
        unequal = self._unequal(told, processing)
        return Comparison(probes, processing, ConditionFound.of(told, processing, gained, unmatched=unequal))

    def _brought(self, told: Told, common: Processing) -> tuple[list[Fingerprint], Processing] | None:
        """The probes as the enrolled images were saved, cut and shrunk before as these seem to be; and how that is."""
        enrolled = self.tried(None) if self._can_match else None
        if not isinstance(enrolled, RoughPosterior):
            made = brought(told.probes, common)
            return (made, common) if made else None
        scale = resized(self._side, told.side)
        ways = [common, *(Chain((step, common)) for step in (*SHIFTS, *([scale] if scale else [])))]
        every = {way: made for way in ways if (made := brought(told.probes, way))}
        if not every:
            return None
        way, _ = likeliest({way: enrolled.about_centre(made, enrolled.root) for way, made in every.items()}, common)
        return every[way], way

    @cached_property
    def _can_match(self) -> bool:
        return can_match(self.gallery)

    @cached_property
    def _side(self) -> float | None:
        return side_of(self.gallery)

    def _as_they_are(self, told: Told) -> ConditionFound | None:
        """What is found without originals: what files and pixels tell, and no more."""
        last = told.earlier or told.last
        if last is None:
            return ConditionFound.of(told, unmatched=self._unequal(told, None))
        lacking = [source.source for source in self.gallery if not len(source.kept(1))]
        why = f"No originals of {in_words(lacking)} are kept, so that the enrolled images were compared as they are."
        return ConditionFound.of(told, last, matched=False, unmatched=[why])

    def _unequal(self, told: Told, processing: Processing | None) -> list[str]:
        """What enrolled images have been through that the probe has not, of large images."""
        if not told.large:
            return []
        last = told.last
        lossy = {name: kind for name, kind in self.saved().items() if kind and not (last and alike(kind, last))}
        if not lossy:
            return []
        kinds = ", ".join(dict.fromkeys(kind.name for kind in lossy.values()))
        whose = "The enrolled images" + (f" of {in_words(lossy)}" if len(lossy) < len(self.gallery) else "")
        if processing:
            return [f"{whose} had been saved before ({kinds}): they have been through more than the probe."]
        return [f"{whose} were saved with loss ({kinds}), the probe otherwise, which cannot be equalised."]


@dataclass(frozen=True)
class Matched(ByScorer):
    """A scorer's comparer that first matches each probe's condition, as far as it can.

    Attributes:
        population: sources in many conditions, if there is one; see ``candidates``.
    """

    population: ReferencePopulation | None = None

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        original = self.scorer.adapt(gallery).enroll(gallery)

        @cache
        def tried(processing: Processing | None) -> Densities:
            return self.scorer.roughly(in_condition(gallery, processing, few(len(gallery))))

        @cache
        def known(processing: Processing | None) -> Enrollment:
            sources = in_condition(gallery, processing, KEPT)
            return self.scorer.adapt(sources).enroll(sources)

        saved = cache(lambda: shared_savings(gallery))
        matching = Matching(gallery, self.scorer, self.population, lambda: original, tried, known, saved)
        scores = np.empty((len(probes), len(gallery)))
        for i, probe in enumerate(probes):
            compared = matching.compared([probe])
            among = known(compared.processing) if compared.processing else original
            scores[i] = among.llr(compared.probes)[0]
        return scores
