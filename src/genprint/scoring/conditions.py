"""Finding the condition of a probe: the one that explains it best.

Any condition costs a pass over the enrolled images, so it is found from coarse to fine: what the probe's files and
pixels tell and how processing moves features on average name a few candidates; a few images of each source are brought
to these; and only the best one is made of all images. ``genprint.scoring.matching`` compares in what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from genprint.fingerprints.conditions import CONDITIONS, SHIFTS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.moments import Moments
from genprint.images.processing import Chain, Jpeg, Noise, Processing, Scale, WebP
from genprint.scoring.base import Densities, Scorer
from genprint.scoring.plda import PLDA
from genprint.scoring.population import ReferencePopulation
from genprint.scoring.posterior import RoughPosterior
from genprint.scoring.told import Told

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
# Shares of the enrolled images' side that resizing leaves.
_LEAST_SHARE, _MOST_SHARE = 0.2, 0.97
# By how much log density (nats) a shift or the like before saving has to explain more than saving alone, on few images.
# Of sets of the test bed of benchmarks/pictures.py that were not cropped, 8 % reach it; of those that were, half of the
# single images, 91 % of sets of five and 95 % of ten.
_CLEARLY = 10.0
#: The enrolled sources in a condition; None: the original.
InCondition = Callable[[Processing | None], Densities]


def candidates(
    told: Told,
    original: Densities,
    scorer: Scorer,
    population: ReferencePopulation | None,
    side: float | None = None,
) -> list[Processing]:
    """Conditions that the probes, which share one, may well be in; none if they look unprocessed.

    What came last is known of a JPEG or WebP, by its header, and of lossless images that were once JPEGs, by their
    pixels. Before that, or where nothing says so, images may have been resized, which their sizes tell, been JPEGs
    before, or been through what is expected to explain the probes better: with their features moved back by as much as
    a condition moves them in the reference population. Of large images that were saved with loss, all shifts are looked
    at: their features are means over many places, and moved less clearly. Without a population there is nothing to go
    by, and all of ``CONDITIONS`` are candidates; of a scorer that has learned nothing, what files and pixels say alone.

    Args:
        told: what the probes' files and pixels tell.
        original: the enrolled sources as they are.
        scorer: as it was learned.
        population: sources in many conditions.
        side: median of the enrolled images' longer sides, in pixels.
    """
    if isinstance(scorer, PLDA) and population and not CONDITIONS.keys().isdisjoint(population.conditions):
        wanted = _expected(told.probes, original, scorer, population)
    else:
        # A scorer that has learned nothing takes sets of few images for processed ones.
        wanted = list(CONDITIONS.values()) if isinstance(scorer, PLDA) else []
    last = told.last
    if last and told.large:
        wanted += SHIFTS
    if scale := resized(told.side, side):
        wanted.append(scale)
    if last:
        before = [steps for steps in map(_before, wanted) if steps]
        ends = [last, told.earlier] if told.earlier else [last]
        wanted = [one for end in ends for one in (end, *(Chain((*steps, *_steps(end))) for steps in before))]
    return list(dict.fromkeys(wanted))


def resized(to: float | None, side: float | None) -> Scale | None:
    """The resizing that sizes tell, of images with this median longer side to such of another; None if it is none."""
    return Scale(round(to / side, 3)) if to and side and _LEAST_SHARE < to / side < _MOST_SHARE else None


def side_of(gallery: Sequence[Fingerprint]) -> float | None:
    """The median over the sources of their images' longer sides, in pixels; None where any is not known."""
    sides = [source.side for source in gallery]
    return None if None in sides else float(np.median(np.array(sides, float)))


def match(
    tried: InCondition, known: InCondition, likely: Sequence[Processing], told: Told
) -> tuple[Processing | None, float | None]:
    """The condition that the probes have in common, whichever sources they are of; None for the original.

    Args:
        tried: the sources by a few images of each, roughly.
        known: the sources by ``KEPT`` images of each.
        likely: the candidates.
        told: what the probes' files and pixels tell.

    Returns:
        The condition; and the gain in log density that speaks for it, where files or pixels alone do not.
    """
    if not likely:
        return None, None
    if last := told.last:  # then they are in no other: all candidates end with that
        return _before_last(tried, likely, told, last) if likely[1:] else (likely[0], None)
    explained = [_explained(tried(processing), told.probes) for processing in (None, *likely)]
    best = int(np.argmax(explained))
    if best == 0:
        return None, None
    found = likely[best - 1]
    gained = _explained(known(found), told.probes) - _explained(known(None), told.probes)
    return (found, gained) if gained > MARGIN else (None, None)


def _before_last(
    tried: InCondition, likely: Sequence[Processing], told: Told, last: Processing
) -> tuple[Processing, float | None]:
    """The likeliest of conditions that end alike."""
    known = {processing: tried(processing) for processing in likely}
    roughly = [one for one in known.values() if isinstance(one, RoughPosterior)]
    if told.large and len(roughly) == len(known):
        explained = [one.about_centre(told.probes, roughly[0].root) for one in roughly]
    else:
        explained = [_explained(one, told.probes) for one in known.values()]
    return likeliest(dict(zip(likely, explained, strict=True)), last)


def likeliest(explained: Mapping[Processing, float], last: Processing) -> tuple[Processing, float | None]:
    """The likeliest of conditions that end with ``last``, and what it gains if neither files nor sizes tell of it.

    What they do not tell has to explain the probes clearly better.
    """
    known = len(_steps(last))
    told = [one for one in explained if all(isinstance(step, Scale) for step in _steps(one)[:-known])]
    best, plain = (max(among, key=lambda one: explained[one]) for among in (explained, told))
    gained = explained[best] - explained[plain]
    return (best, gained) if gained > _CLEARLY else (plain, None)


def _steps(processing: Processing) -> tuple[Processing, ...]:
    return processing.steps if isinstance(processing, Chain) else (processing,)


def _before(processing: Processing) -> tuple[Processing, ...]:
    """The steps before saving with loss, if that comes last."""
    steps = _steps(processing)
    return steps[:-1] if isinstance(steps[-1], Jpeg | WebP) else steps


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
