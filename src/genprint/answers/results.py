"""What the answers are: attributions, verifications, and all else that can be written down."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from genprint.answers.families import plain_text
from genprint.scoring.conditions import NONE
from genprint.scoring.likelihood_ratio import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ATTRIBUTED, UNKNOWN, INCONCLUSIVE, ERROR = "attributed", "unknown", "inconclusive", "error"
SAME, DIFFERENT = "same", "different"
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
            alike. A model's value, not calibrated: do not read it as odds.
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
        score: of the best candidate: its log ratio on a scale common to all sources (``genprint.scoring.cohort.Normaliser``):
            0 as sets of other sources score, 1 as its own do far from any rival. None without a threshold.
        threshold: score the best candidate must reach; None if it could not be set.
        rate: at most this share of sources that are not enrolled would be attributed.
        calibrated_at: size of the sets that set the threshold.
        p: of the hypothesis that the probe's images and the best candidate's are drawn alike; one probe in twenty of
            the candidate itself has 0.05 or less.
        candidates: the best first.
        reason: why the answer is what it is, in words.
        history: what the probe seems to have gone through that the enrolled images have not, 'none' or one of
            ``genprint.scoring.conditions.HISTORIES``. They were put through it too; all of the above is as of then.
        evidence: for the best candidate; None where fewer than three sources are enrolled.
        left_out: images that could not be used, and why.
    """

    probe: str
    answer: str
    source: str | None
    images: int
    score: float | None
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
        """Log ratios of the candidates."""
        shown = self.candidates[:10][::-1]
        ax.barh([plain_text(c.source) for c in shown], [c.log_ratio for c in shown])
        ax.set_xlabel("log likelihood ratio against an unknown source")
        return ax


@dataclass(frozen=True)
class VerificationResult(Result):
    """Whether two sets have the same source: 'same', 'different' or 'inconclusive', with the evidence.

    Attributes:
        likeness: cosine of their fingerprints, -1 to 1.
        different_below: threshold of likeness; sets of one source fall below at ``rate`` at most. None: no threshold.
        same_above: threshold of likeness; sets of different sources reach it at ``rate`` at most.
        log10_lr: of the likelihood ratio of ``hp`` against ``hd``, no more than the population's sources support. None
            where it does not hold: sets unlike the population's, or that may have gone through several things.
        hp, hd: what is weighed.
        rate: of either error, over the sources of the population.
        population: whose sources set thresholds and ratio.
        sources: how many these are.
        histories: what both sets may have gone through; the thresholds are the most careful of these.
        one_history: whether both may have gone through the same; if not, they are never called different.
        typical: whether both are like sets of the population; if not, it says nothing of them.
    """

    left: str
    right: str
    answer: str
    images: tuple[int, int]
    likeness: float
    different_below: float | None
    same_above: float | None
    log10_lr: float | None
    hp: str
    hd: str
    rate: float
    population: str
    sources: int
    histories: tuple[str, ...]
    one_history: bool
    typical: bool
    left_out: tuple[dict[str, str], ...] = ()


def failed(probe: str, reason: str) -> Attribution:
    """The answer to a probe that could not be read."""
    return Attribution(probe, ERROR, None, 0, None, None, None, None, None, (), reason)
