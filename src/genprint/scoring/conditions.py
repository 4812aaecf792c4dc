"""Condition matching: a probe is compared with the enrolled images in the condition that explains it best.

Any condition costs a pass over the enrolled images, so it is found from coarse to fine: what the probe's files say and
how processing moves features on average name a few candidates; a few images of each source are brought to these; and
only the best one is made of all images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import logsumexp

from genprint.fingerprints.conditions import CONDITIONS, KEPT, SHIFTS
from genprint.fingerprints.fingerprint import Fingerprint, Moments
from genprint.images.decoding import FileFacts
from genprint.images.processing import Chain, Jpeg, Noise, Processing, Scale, WebP
from genprint.scoring.base import ByScorer, Densities, Enrollment, Scorer
from genprint.scoring.plda import PLDA
from genprint.scoring.population import ReferencePopulation

# Minimum gain in log density (nats) to accept a condition that no header speaks for. At 40, no unprocessed set of 5 or
# more images of the shipped generators lost its source, and processed ones pass it easily. Single images hardly do, and
# are taken as they are.
MARGIN = 40.0
# Candidates: conditions that are expected to gain so much, and how many of them. The gain expected of an unprocessed
# set is nothing; of a processed one, half of what it turns out to be.
_EXPECTED, _CANDIDATES = 2.0, 3
# Noise hardly moves means; it shows where sets of the population are like the probe after noise, by so much more than
# after anything else.
_NOISY = 40.0
# A longer side, in pixels, above which images are large; and shares of the enrolled images' side that resizing leaves.
_LARGE, _LEAST_SHARE, _MOST_SHARE = 64, 0.2, 0.97
# By how much log density (nats) a shift or the like before saving has to explain more than saving alone, on few images.
# Of sets of ten that were not cropped, one in twenty reaches it; of those that were, three in four.
_CLEARLY = 10.0
# Enrolled images, of all sources together, that candidates are tried on; at least so many of each.
_TRIED, _FEWEST = 64, 2

#: The enrolled sources in a condition; None: the original.
InCondition = Callable[[Processing | None], Densities]


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


def candidates(
    probes: Sequence[Fingerprint],
    original: Densities,
    scorer: Scorer,
    population: ReferencePopulation | None,
    side: float | None = None,
) -> list[Processing]:
    """Conditions that the probes, which share one, may well be in; none if they look unprocessed.

    What came last is known of a JPEG or WebP, by its header. Before that, or where nothing says so, images may have
    been resized, which their sizes tell, or been through what is expected to explain the probes better: with their
    features moved back by as much as a condition moves them in the reference population. Of large images that were
    saved with loss, all shifts are looked at: their features are means over many places, and moved less clearly.
    Without a population there is nothing to go by, and all of ``CONDITIONS`` are candidates; of a scorer that has
    learned nothing, what the files say alone.

    Args:
        probes: sets, or images alone.
        original: the enrolled sources as they are.
        scorer: as it was learned.
        population: sources in many conditions.
        side: median of the enrolled images' longer sides, in pixels.
    """
    saved, own = _saved(probes), _side(probes)
    if isinstance(scorer, PLDA) and population and not CONDITIONS.keys().isdisjoint(population.conditions):
        wanted = _expected(probes, original, scorer, population)
    else:
        # A scorer that has learned nothing takes sets of few images for processed ones.
        wanted = list(CONDITIONS.values()) if isinstance(scorer, PLDA) else []
    if saved and own > _LARGE:
        wanted += SHIFTS
    if side and _LEAST_SHARE < own / side < _MOST_SHARE:
        wanted.append(Scale(round(own / side, 3)))
    if saved:
        wanted = [saved, *(Chain((*_before(processing), saved)) for processing in wanted if _before(processing))]
    return list(dict.fromkeys(wanted))


def side_of(gallery: Sequence[Fingerprint]) -> float | None:
    """The median over the sources of their images' longer sides, in pixels; None where any is not known."""
    sides = [source.side for source in gallery]
    return None if None in sides else float(np.median(np.array(sides, float)))


def _side(probes: Sequence[Fingerprint]) -> float:
    """Median longer side of the probes' images; 0 if it is not known."""
    sides = [side for side in (probe.side for probe in probes) if side]
    return float(np.median(sides)) if sides else 0.0


def match(
    tried: InCondition, known: InCondition, likely: Sequence[Processing], probes: Sequence[Fingerprint]
) -> Processing | None:
    """The condition that these probes have in common, whichever sources they are of; None for the original.

    Args:
        tried: the sources by a few images of each, roughly.
        known: the sources by ``KEPT`` images of each.
        likely: the candidates.
        probes: sets, or images alone.
    """
    if not likely:
        return None
    if _saved(probes):  # then they are in no other: all candidates end with that
        return _before_saving(tried, likely, probes) if likely[1:] else likely[0]
    explained = [_explained(tried(processing), probes) for processing in (None, *likely)]
    best = int(np.argmax(explained))
    if best == 0:
        return None
    found = likely[best - 1]
    return found if _explained(known(found), probes) - _explained(known(None), probes) > MARGIN else None


def _before_saving(tried: InCondition, likely: Sequence[Processing], probes: Sequence[Fingerprint]) -> Processing:
    """The likeliest of conditions that end alike. What no file tells has to explain the probes clearly better."""
    explained = {processing: _explained(tried(processing), probes) for processing in likely}
    told = [one for one in likely if all(isinstance(step, Scale) for step in _before(one))]
    best, plain = (max(among, key=lambda one: explained[one]) for among in (likely, told))
    return best if explained[best] - explained[plain] > _CLEARLY else plain


def _saved(probes: Sequence[Fingerprint]) -> Processing | None:
    """How most of the images were saved, if with loss and alike."""
    facts = [one for probe in probes for one in probe.facts]
    ((kind, often),) = Counter(map(_saving, facts)).most_common(1) or [(None, 0)]
    return kind if 2 * often > len(facts) else None


def _saving(facts: FileFacts | None) -> Processing | None:
    """How a file was saved, by its header."""
    if facts and facts.quantiser is not None:
        return WebP(facts.quantiser)
    if facts and facts.quality and facts.subsampling:
        return Jpeg(facts.quality, facts.subsampling, facts.tables)
    return None


def _before(processing: Processing) -> tuple[Processing, ...]:
    """The steps before saving with loss."""
    steps = processing.steps if isinstance(processing, Chain) else (processing,)
    return tuple(step for step in steps if not isinstance(step, Jpeg | WebP))


def _expected(
    probes: Sequence[Fingerprint], original: Densities, plda: PLDA, population: ReferencePopulation
) -> list[Processing]:
    """Conditions that are expected to explain the probes, from the best on."""
    moved = dict(zip(population.conditions, plda.back(population.centres - population.centres[0]), strict=True))
    typical = dict(zip(population.conditions, population.explained(plda, probes).mean(1), strict=True))
    first, known = population.conditions[0], [name for name in population.conditions if name in CONDITIONS]
    asked = [_moved(probe, moved[name]) for name in (first, *known) for probe in probes]
    explained = logsumexp(original.log_density(asked), axis=1).reshape(-1, len(probes)).mean(1)
    gained = dict(zip(known, explained[1:] - explained[0], strict=True))
    likely = sorted((name for name in known if gained[name] > _EXPECTED), key=lambda name: -gained[name])[:_CANDIDATES]
    most_typical = max(known, key=lambda name: typical[name])
    others = [level for name, level in typical.items() if not isinstance(CONDITIONS.get(name), Noise)]
    if likely or typical[most_typical] - max(others) > _NOISY:
        likely.append(most_typical)
    return [CONDITIONS[name] for name in dict.fromkeys(likely)]


def _moved(probe: Fingerprint, by: np.ndarray) -> Fingerprint:
    """The probe with its mean moved back; it has nothing else."""
    moments = Moments(probe.count, probe.mean - by, np.empty(0))
    return replace(probe, features=None, facts=(), originals=(), moments=moments)


def _explained(known: Densities, probes: Sequence[Fingerprint]) -> float:
    """Log density of a probe, were it of any enrolled source; the mean of the probes'."""
    return float(logsumexp(known.log_density(probes), axis=1).mean())


@dataclass(frozen=True)
class Matched(ByScorer):
    """A scorer's comparer that first matches each probe's condition, where there are originals of the gallery.

    Attributes:
        population: sources in many conditions, if there is one; see ``candidates``.
    """

    population: ReferencePopulation | None = None

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        if not can_match(gallery):
            return super()._score(probes, gallery)

        original, side = self.scorer.adapt(gallery).enroll(gallery), side_of(gallery)

        @cache
        def tried(processing: Processing | None) -> Densities:
            return self.scorer.roughly(in_condition(gallery, processing, few(len(gallery))))

        @cache
        def known(processing: Processing | None) -> Enrollment:
            sources = in_condition(gallery, processing, KEPT)
            return self.scorer.adapt(sources).enroll(sources)

        scores = np.empty((len(probes), len(gallery)))
        for i, probe in enumerate(probes):
            likely = candidates([probe], original, self.scorer, self.population, side)
            found = match(tried, known, likely, [probe])
            scores[i] = (known(found) if found else original).llr([probe])[0]
        return scores
