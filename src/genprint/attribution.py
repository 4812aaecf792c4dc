"""Answers: which enrolled source made a probe (identify), and whether two sets have one source (verify)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from genprint.calibration import disjoint_subsets, smallest_rate, upper_threshold
from genprint.evidence import Evidence, Weigher
from genprint.families import plain_text
from genprint.fingerprint import Features
from genprint.gallery import Gallery
from genprint.histories import NONE, Matcher
from genprint.methods.set_encoder.encoder import SetEncoder
from genprint.two_sample import exchangeable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ATTRIBUTED, UNKNOWN, INCONCLUSIVE, ERROR = "attributed", "unknown", "inconclusive", "error"
SAME, DIFFERENT = "same", "different"
# Sources a probe is compared with by all means there are.
CLOSELY = 200
# Share of probes of an enrolled source that the test for relatives calls unknown.
MISSES = 0.05
EXIT_CODES = {ATTRIBUTED: 0, SAME: 0, UNKNOWN: 3, DIFFERENT: 3, INCONCLUSIVE: 4, ERROR: 1}


@dataclass(frozen=True)
class Result:
    """An answer that can be written down."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self)

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(self.to_dict(), indent=2)


@dataclass(frozen=True)
class Candidate:
    """An enrolled source as an explanation of the probe.

    Attributes:
        source: its name.
        images: enrolled.
        log_ratio: natural log of the likelihood ratio of this source against an unknown one. Higher is more
            alike. A model's value, not calibrated: compare it with the threshold, do not read it as odds.
        share: of this source among the enrolled ones, were one of them the source and all equally likely.
    """

    source: str
    images: int
    log_ratio: float
    share: float


@dataclass(frozen=True)
class Attribution(Result):
    """The answer to one probe, with its evidence.

    Attributes:
        answer: 'attributed', 'unknown', 'inconclusive' or 'error'.
        source: to which it is attributed, else None.
        images: of the probe that were used.
        threshold: log ratio the best candidate must reach; None if it could not be set.
        rate: at most this share of sources that are not enrolled would reach it.
        calibrated_at: size of the sets that set the threshold.
        p: of the hypothesis that the probe's images and the best candidate's are drawn alike; one probe in twenty of
            the candidate itself has 0.05 or less.
        candidates: the best first.
        reason: why the answer is what it is, in words.
        history: what the probe seems to have gone through that the enrolled images have not, 'none' or one of
            ``genprint.histories.HISTORIES``. They were put through it too; all of the above is as of then.
        evidence: for the best candidate; None where fewer than three sources are enrolled.
        left_out: images that could not be used, and why.
    """

    probe: str
    answer: str
    source: str | None
    images: int
    threshold: float | None
    rate: float | None
    calibrated_at: int | None
    p: float | None
    candidates: tuple[Candidate, ...]
    reason: str
    history: str = NONE
    evidence: Evidence | None = None
    left_out: tuple[dict[str, str], ...] = field(default=())

    def plot(self, ax: Axes) -> Axes:
        """Log ratios of the candidates, and the threshold."""
        shown = self.candidates[:10][::-1]
        ax.barh([plain_text(c.source) for c in shown], [c.log_ratio for c in shown])
        if self.threshold is not None:
            ax.axvline(self.threshold, color="black", linestyle="--")
        ax.set_xlabel("log likelihood ratio against an unknown source")
        return ax


@dataclass(frozen=True)
class VerificationResult(Result):
    """Whether two sets have the same source: 'same', 'different' or 'inconclusive', with the evidence.

    ``different_below`` and ``same_above`` are thresholds of ``log_ratio``, each with an error rate of at most
    ``rate`` over the ``calibration_sources`` simulated or training sources.
    """

    left: str
    right: str
    answer: str
    images: tuple[int, int]
    log_ratio: float
    different_below: float | None
    same_above: float | None
    rate: float
    calibration_sources: int
    left_out: tuple[dict[str, str], ...] = ()


class Identifier:
    """Compares probes with enrolled sources and says which made them, if any.

    The threshold for a probe of n images is set on the enrolled sources themselves: each in turn is left out, and sets
    of n of its images are scored against the rest. At most the given rate of unknown sources, if they are like
    the enrolled ones, reaches it. A relative of an enrolled source is nearer than those, so the probe's images must
    also be exchangeable with the source's own: a permutation test, which calls one in twenty of its own probes unknown.

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
        self._thresholds: dict[int, tuple[float, int]] = {}
        self._weigh = Weigher(encoder, self.features, self.gallery)
        self._directions = encoder.plda_.directions()

    def after(self, history: str) -> Identifier:
        """The same with the enrolled images as they are after a history."""
        if history not in self._changed:
            changed = {name: own.with_history(history) for name, own in self.features.items()}
            self._changed[history] = Identifier(self.encoder, changed, self.rate, self.min_share)
        return self._changed[history]

    def threshold(self, images: int) -> tuple[float, int] | None:
        """The threshold for probes of so many images, and the set size it was set at; None with one source."""
        if len(self.gallery) < 2:
            return None
        size = min(images, min(len(own) for own in self.features.values()))
        if size not in self._thresholds:
            rng = np.random.default_rng(0)
            scores = []
            for i, own in enumerate(self.features.values()):
                rest = self.gallery[:i] + self.gallery[i + 1 :]
                subsets = disjoint_subsets(own, size, 20, rng)
                probes = [self.encoder.summarise(subset, "", vector=False) for subset in subsets]
                scores.append(self.encoder.plda_.score(probes, rest).max(1))
            self._thresholds[size] = upper_threshold(scores, self.rate), size
        return self._thresholds[size]

    def _exchangeable(self, features: Features, source: str) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        return exchangeable(*(own.values @ self._directions for own in (self.features[source], features)))

    def _rival(self, features: Features, candidates: tuple[Candidate, ...]) -> bool:
        """Whether the second candidate comes near and draws images as the probe's."""
        if len(candidates) < 2 or candidates[1].share < 1 - self.min_share:
            return False
        return self._exchangeable(features, candidates[1].source) > MISSES

    def identify(self, name: str, features: Features) -> Attribution:
        """The answer to one probe."""
        features = _ordered(features)
        probe = self.encoder.summarise(features, name, vector=False)
        (history,) = self._matcher.match([probe])
        if history != NONE:
            return replace(self.after(history).identify(name, features), history=history)
        ratios = self._weigh.plda.compare([probe], self.gallery)[0]
        shares = softmax(ratios)
        order = np.argsort(-ratios)
        candidates = tuple(
            Candidate(self.gallery[i].source, self.gallery[i].count, float(ratios[i]), float(shares[i])) for i in order
        )
        p = self._exchangeable(features, candidates[0].source)
        found = self.threshold(probe.count)
        best = candidates[0]
        if found is None:
            answer, reason = INCONCLUSIVE, "with one enrolled source no threshold can be set; enroll more"
        elif best.log_ratio < found[0]:
            answer, reason = UNKNOWN, f"the nearest source, {best.source}, stays below the threshold"
        elif p <= MISSES and self._rival(features, candidates):
            answer, reason = (
                INCONCLUSIVE,
                f"near {best.source}, but drawn rather as images of {candidates[1].source} are",
            )
        elif p <= MISSES:
            answer, reason = UNKNOWN, f"near {best.source}, but not drawn as its images are: a relative?"
        elif best.share < self.min_share:
            answer, reason = INCONCLUSIVE, f"{best.source} and {candidates[1].source} explain it about as well"
        else:
            answer, reason = ATTRIBUTED, f"{best.source} passes the threshold and no other source comes near"
        return Attribution(
            probe=name,
            answer=answer,
            source=best.source if answer == ATTRIBUTED else None,
            images=probe.count,
            threshold=found[0] if found else None,
            rate=self.rate if found else None,
            calibrated_at=found[1] if found else None,
            p=p,
            candidates=candidates,
            reason=reason,
            evidence=self._weigh.evidence(features, int(order[0])),
            left_out=tuple(asdict(left) for left in features.left_out),
        )


class GalleryIdentifier:
    """Identifies probes in a gallery of any size.

    Where more than ``CLOSELY`` sources are enrolled, each probe is compared closely with as many only: those whose
    vectors are nearest to its own. Thresholds, rate and evidence are then of those.

    Args:
        gallery: as it is now; what is enrolled later is not seen.
    """

    def __init__(self, encoder: SetEncoder, gallery: Gallery, rate: float = 0.05):
        if not len(gallery):
            raise ValueError(f"{gallery.path}: no source is enrolled; enroll some first")
        self._encoder, self._rate = encoder, rate
        self._index = gallery.index() if len(gallery) > CLOSELY else None
        self._all = None if self._index else Identifier(encoder, gallery.features(), rate)

    def near(self, gallery: Gallery, features: Features) -> Identifier:
        """The identifier for a probe. ``gallery`` may be another connection to the same file."""
        if self._all:
            return self._all
        assert self._index
        vector = self._encoder.summarise(features, "", scatter=False).vector
        return Identifier(self._encoder, gallery.features(self._index.nearest(vector, CLOSELY)), self._rate)


def _ordered(features: Features) -> Features:
    """By digest, so that random divisions do not depend on the order of files."""
    return replace(features[np.argsort(features.digests)], left_out=features.left_out)


def failed(probe: str, reason: str) -> Attribution:
    """The answer to a probe that could not be read."""
    return Attribution(probe, ERROR, None, 0, None, None, None, None, (), reason)


def verify(encoder: SetEncoder, left: str, a: Features, right: str, b: Features) -> VerificationResult:
    """Whether two sets have the same source."""
    small, large = sorted(
        (encoder.summarise(own, name, vector=False) for own, name in ((a, left), (b, right))), key=lambda f: f.count
    )
    ratio = float(encoder.plda_.score([small], [large])[0, 0])
    thresholds = encoder.verification_.at(small.count)
    if thresholds is None:
        answer, low, high = INCONCLUSIVE, None, None
    else:
        # Where sets are large the two thresholds cross: between them, a score is unlike either kind.
        low, high = sorted(thresholds)
        answer = SAME if ratio >= high else DIFFERENT if ratio <= low else INCONCLUSIVE
    return VerificationResult(
        left, right, answer, (len(a), len(b)), ratio, low, high,
        encoder.verification_.rate, encoder.verification_.sources,
        tuple(asdict(left_out) for left_out in (*a.left_out, *b.left_out)),
    )  # fmt: skip
