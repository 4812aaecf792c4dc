"""Answers: which enrolled source made a probe (identify), and whether two sets have one source (verify)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
from scipy.special import softmax

from genprint.answers.results import (
    ATTRIBUTED,
    DIFFERENT,
    INCONCLUSIVE,
    SAME,
    UNKNOWN,
    Attribution,
    Candidate,
    VerificationResult,
)
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features, check_disjoint
from genprint.gallery.store import Gallery
from genprint.scoring.cohort import TOLD_APART, Trials
from genprint.scoring.conditions import NONE, Matcher
from genprint.scoring.exchangeability import exchangeable
from genprint.scoring.likelihood_ratio import Weigher
from genprint.scoring.population import Verification
from genprint.scoring.thresholds import smallest_rate, upper_threshold

# Sources a probe is compared with by all means there are.
CLOSELY = 200
# Scores below are those of other sources.
LEAST_SCORE = 0.0
# Share of probes of an enrolled source that the test for relatives calls unknown.
MISSES = 0.05


class Identifier:
    """Compares probes with enrolled sources and says which made them, if any.

    An attribution passes three tests. No other source explains the probe about as well. The probe's images are
    exchangeable with the source's own: a permutation test, which calls one in twenty of a source's own probes unknown.
    And the score (``genprint.scoring.cohort``) reaches a threshold, which is set on the enrolled sources: each in turn is left
    out, and sets of as many of its images put to all three tests. At most the given rate of unknown sources, if they
    are like the enrolled ones, pass.

    Args:
        encoder: of the features.
        features: of each enrolled source.
        rate: of false attributions wanted; raised to 1 / (sources + 1), the least that the sources support.
        min_share: the best source has to reach this share, else the answer is 'inconclusive'.
    """

    def __init__(
        self, encoder: SetEncoder, features: Mapping[str, Features], rate: float = 0.05, min_share: float = 0.75
    ):
        if not features:
            raise ValueError("no source is enrolled; enroll some, or give known sources")
        self.encoder, self.min_share = encoder, min_share
        self.features = {name: _ordered(own) for name, own in features.items()}
        self.gallery = [encoder.summarise(own, name, vector=False) for name, own in self.features.items()]
        self.rate = max(rate, smallest_rate(len(self.features)))
        self._matcher = Matcher(encoder, encoder.plda_, list(self.features.values()))
        self._changed: dict[str, Identifier] = {}
        self._thresholds: dict[int, float] = {}
        self._trials = Trials(encoder, encoder.plda_, list(self.features.values()), self.gallery)
        self._weigh = Weigher(self._trials, self.gallery)

    def after(self, history: str) -> Identifier:
        """The same with the enrolled images as they are after a history."""
        if history not in self._changed:
            changed = {name: own.with_history(history) for name, own in self.features.items()}
            self._changed[history] = Identifier(self.encoder, changed, self.rate, self.min_share)
        return self._changed[history]

    def threshold(self, images: int) -> tuple[float, int] | None:
        """The threshold for probes of so many images, and the set size it was set at.

        None with fewer than three sources, or fewer than two of two images or more: with one of these left out, nothing
        would say how a source's own images score.
        """
        if len(self.gallery) < 3 or sorted(own.count for own in self.gallery)[-2] < 2:
            return None
        size = self._trials.size(images)
        if size not in self._thresholds:
            self._thresholds[size] = self._upper_threshold(size)
        return self._thresholds[size], size

    def _upper_threshold(self, size: int) -> float:
        """The score that sets of sources left out reach and pass all other tests at the given rate, at most."""
        trials = list(self._trials.unknown(size))
        scores = [np.full(len(reached), LEAST_SCORE) for *_, reached in trials]
        places = [(float(score), i, j) for i, (*_, reached) in enumerate(trials) for j, score in enumerate(reached)]
        above = smallest_rate(len(trials))
        # From the highest score down, for as long as it matters: permutation tests take time.
        for score, i, j in sorted(places, reverse=True):
            if score < LEAST_SCORE or above > self.rate + 1e-12:  # as upper_threshold has it
                break
            if self._passes(trials[i][0][j], trials[i][1][j]):
                scores[i][j] = score
                above += 1 / len(scores[i]) / (len(trials) + 1)
        return upper_threshold(scores, self.rate)

    def _passes(self, features: Features, ratios: np.ndarray) -> bool:
        """Whether the likeliest source passes every test but the threshold."""
        source = self.gallery[ratios.argmax()].source
        return softmax(ratios).max() >= self.min_share and self._exchangeable(features, source) > MISSES

    def _exchangeable(self, features: Features, source: str) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        enrolled, own = (self.encoder.plda_.project(images.values) for images in (self.features[source], features))
        return exchangeable(enrolled, own)

    def _rival(self, features: Features, candidates: tuple[Candidate, ...]) -> bool:
        """Whether the second candidate comes near and draws images as the probe's."""
        return self._near(candidates) and self._exchangeable(features, candidates[1].source) > MISSES

    def _near(self, candidates: tuple[Candidate, ...]) -> bool:
        """Whether the second candidate comes near."""
        return len(candidates) > 1 and candidates[1].share >= 1 - self.min_share

    def _undecided(self, images: int, best: int, second: int) -> str:
        """That two sources explain a probe about as well, and what it would take to tell them apart."""
        names = f"{self.gallery[best].source} and {self.gallery[second].source}"
        shared = set(self.gallery[best].digests) & set(self.gallery[second].digests)
        if shared:
            return f"{names} explain it about as well, and share {len(shared)} images; leave these out of one"
        size, right = self._trials.separation(best, second)
        if right < TOLD_APART:
            told = f"this gallery cannot tell them apart ({right:.0%} right of its own sets of {size})"
        elif size > images:
            told = f"about {size - images} more images would tell them apart"
        else:
            told = f"its own sets of {size} are told apart: it may be neither"
        return f"{names} explain it about as well; {told}"

    def identify(self, name: str, features: Features, weigh: bool = True) -> Attribution:
        """The answer to one probe; without the likelihood ratio, which takes longest, if only the answer is wanted.

        Images of the probe that are enrolled are left out: they would be compared with themselves.

        Raises:
            ImageSetError: all are.
        """
        features = _ordered(features.without(self.features))
        probe = self.encoder.summarise(features, name, vector=False)
        (history,) = self._matcher.match([probe])
        if history != NONE:
            return replace(self.after(history).identify(name, features, weigh), history=history)
        ratios = self._trials.known.compare([probe])[0]
        shares = softmax(ratios)
        order = np.argsort(-ratios)
        candidates = tuple(
            Candidate(self.gallery[i].source, self.gallery[i].count, float(ratios[i]), float(shares[i])) for i in order
        )
        p = self._exchangeable(features, candidates[0].source)
        found = self.threshold(probe.count)
        best, score = candidates[0], self._trials.score(features, order[0]) if found else None
        if found is None or score is None:
            answer, reason = INCONCLUSIVE, "no threshold can be set; enroll three sources or more, two images of each"
        elif score < found[0]:
            answer, reason = UNKNOWN, f"the nearest source, {best.source}, stays below the threshold"
            if self._near(candidates):
                reason += f"; {self._undecided(probe.count, *order[:2])}"
        elif p <= MISSES and self._rival(features, candidates):
            answer, reason = (
                INCONCLUSIVE,
                f"near {best.source}, but drawn rather as images of {candidates[1].source} are",
            )
        elif p <= MISSES:
            answer, reason = UNKNOWN, f"near {best.source}, but not drawn as its images are: a relative?"
        elif best.share < self.min_share:
            answer, reason = INCONCLUSIVE, self._undecided(probe.count, *order[:2])
        else:
            answer, reason = ATTRIBUTED, f"{best.source} passes the threshold and no other source comes near"
        return Attribution(
            probe=name,
            answer=answer,
            source=best.source if answer == ATTRIBUTED else None,
            images=probe.count,
            score=score,
            threshold=found[0] if found else None,
            rate=self.rate if found else None,
            calibrated_at=found[1] if found else None,
            p=p,
            candidates=candidates,
            reason=reason,
            evidence=self._weigh.evidence(features, int(order[0])) if weigh else None,
            left_out=tuple(asdict(left) for left in features.left_out),
        )


class GalleryIdentifier:
    """Identifies probes in a gallery of any size.

    Where more than ``CLOSELY`` sources are enrolled, each probe is compared closely with as many only: those whose
    vectors are nearest to its own. Thresholds, rate and evidence are then of those.

    Args:
        gallery: as it is now; what is enrolled later is not seen.
        histories: whether probes are compared with the enrolled images after these, too.
    """

    def __init__(self, encoder: SetEncoder, gallery: Gallery, rate: float = 0.05, histories: bool = True):
        if not len(gallery):
            raise ValueError(f"{gallery.path}: no source is enrolled; enroll some first")
        self._encoder, self._rate, self._histories = encoder, rate, histories
        self._index = gallery.index() if len(gallery) > CLOSELY else None
        self._all = None if self._index else Identifier(encoder, gallery.features(histories=histories), rate)

    def near(self, gallery: Gallery, features: Features) -> Identifier:
        """The identifier for a probe. ``gallery`` may be another connection to the same file."""
        if self._all:
            return self._all
        assert self._index
        vector = self._encoder.summarise(features, "", scatter=False).vector
        nearest = self._index.nearest(vector, CLOSELY)
        return Identifier(self._encoder, gallery.features(nearest, self._histories), self._rate)


def _ordered(features: Features) -> Features:
    """By digest, so that random divisions do not depend on the order of files."""
    return replace(features[np.argsort(features.digests)], left_out=features.left_out)


def verify(
    encoder: SetEncoder, left: str, a: Features, right: str, b: Features, population: Verification | None = None
) -> VerificationResult:
    """Whether two sets have the same source.

    Args:
        population: sources like those in question, of the same content; by default the one that came with the encoder.

    Raises:
        ImageSetError: the sets share an image.
    """
    check_disjoint(left, a, right, b)
    population = population or encoder.verification_
    fingerprints = [encoder.summarise(own, name, vector=False, scatter=False) for own, name in ((a, left), (b, right))]
    found = population.judge(encoder.plda_, *fingerprints)
    answer = INCONCLUSIVE
    if found.typical and found.same_above is not None and found.different_below is not None:
        if found.likeness >= found.same_above:
            answer = SAME
        elif found.likeness <= found.different_below and found.one_history:
            answer = DIFFERENT
    return VerificationResult(
        left, right, answer, (len(a), len(b)), **asdict(found),
        hp="one source made both sets", hd=f"two sources made them, like those of: {population.population}",
        rate=population.rate, population=population.population, sources=population.sources,
        left_out=tuple(asdict(left_out) for left_out in (*a.left_out, *b.left_out)),
    )  # fmt: skip
