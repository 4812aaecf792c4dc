"""What the answers are: frozen values that can be written down, drawn and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from genprint.answers.claims import SetClaims
from genprint.answers.copies import Copies
from genprint.answers.expected import Expected
from genprint.answers.stress import Stress
from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet, LeftOut
from genprint.model import Model
from genprint.scoring.found import ConditionFound
from genprint.scoring.likelihood_ratio import LikelihoodRatio, support
from genprint.words import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ATTRIBUTED, UNKNOWN, INCONCLUSIVE, ERROR = "attributed", "unknown", "inconclusive", "error"
SAME, DIFFERENT = "same", "different"


def plain_values(value: Any) -> Any:
    """Dataclasses, mappings and sequences as what JSON holds; without fields that are marked ``aside``."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_values(getattr(value, f.name)) for f in fields(value) if not f.metadata.get("aside")}
    if isinstance(value, Mapping):
        return {key: plain_values(one) for key, one in value.items()}
    return [plain_values(one) for one in value] if isinstance(value, list | tuple) else value


def plain_text(name: str) -> str:
    """A name as a figure shows it as it is: a dollar sign begins no formula, and nothing acts."""
    return printable(name).replace("$", r"\$")


class Result:
    """An answer that can be written down, drawn and shown. Subclasses are frozen dataclasses."""

    #: writes a result to a file; ``genprint.report.page``, which is made of results, puts itself here
    writer: ClassVar[Callable[[Result, Path], None] | None] = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"verdict": self.verdict, **plain_values(self)}

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    @property
    def verdict(self) -> str:
        """The answer in a sentence."""
        raise NotImplementedError

    def plot(self, ax: Axes) -> Axes:
        """Draws the evidence behind the answer."""
        raise NotImplementedError

    def save(self, path: str | Path) -> None:
        """Writes a page (``.html``) that holds all it shows, or everything as JSON (``.json``).

        Of an attribution, the record that ``genprint report reproduce`` reads is written beside the page.
        """
        if Result.writer is None:
            raise RuntimeError("results are written by genprint.report.page: import it first")
        Result.writer(self, Path(path))

    def _repr_html_(self) -> str:
        """For notebooks."""
        from html import escape

        return f"<p><strong>{escape(self.verdict)}</strong></p>"


@dataclass(frozen=True)
class Candidate:
    """An enrolled source as an explanation of the probe.

    Attributes:
        source: its name.
        images: enrolled.
        raw_llr: natural log of the scorer's likelihood ratio of this source against an unknown one. Higher is more
            similar. Not calibrated: do not read it as odds.
        posterior: of this source among the enrolled ones, were one of them the source and all equally likely.
    """

    source: str
    images: int
    raw_llr: float
    posterior: float


@dataclass(frozen=True)
class Evidence:
    """The evidence behind an attribution.

    Attributes:
        score: of the best candidate: its raw log ratio on a scale common to all sources
            (``genprint.scoring.cohort.Normaliser``): 0 as sets of other sources score, 1 as sets of the source do far
            from any rival. None without a threshold.
        threshold: score the best candidate must reach; None if it could not be set.
        rate: at most this share of sources that are not enrolled would be attributed.
        calibrated_at: size of the sets that set the threshold.
        p: of the exchangeability test: null hypothesis, the probe's images and the best candidate's are drawn alike.
            One probe in twenty of the candidate itself has 0.05 or less.
        p_counts: whether the decision takes that test into account. It does not where the probe came in another
            condition than what is enrolled, for then the test may reject images of the source, too.
        candidates: the best first.
        ratio: calibrated likelihood ratio for the best candidate; None where there are too few sources or images.
        condition: what was found of the probe's condition; None if nothing was, and all could be compared.
        no_ratio: why there is no ratio, in a sentence; '' if there is one.
    """

    score: float | None
    threshold: float | None
    rate: float | None
    calibrated_at: int | None
    p: float
    candidates: tuple[Candidate, ...]
    ratio: LikelihoodRatio | None = None
    condition: ConditionFound | None = None
    p_counts: bool = True
    no_ratio: str = ""


@dataclass(frozen=True)
class Asked:
    """What a question was asked with. Reports need it; it is no part of the answer.

    Attributes:
        model: that answered.
        images: the probe.
        probe: its fingerprint.
        known: fingerprints of the enrolled sources.
        compared: the same in the condition that they were compared in.
        sources: image sets of the enrolled sources, as far as these are at hand.
        inputs: paths and parameters, as they were given.
    """

    model: Model
    images: ImageSet
    probe: Fingerprint
    known: Mapping[str, Fingerprint]
    compared: tuple[Fingerprint, ...]
    sources: tuple[ImageSet, ...]
    inputs: Mapping[str, str | float | bool | None]


@dataclass(frozen=True)
class Attribution(Result):
    """The answer to one probe, with its evidence.

    Attributes:
        probe: its name.
        decision: 'attributed', 'unknown', 'inconclusive' or 'error'.
        source: to which it is attributed, else None.
        llr: calibrated natural log of the likelihood ratio that the best candidate made the probe, against a source
            that is not enrolled but like those that are. None where calibration supports none. It never points the
            other way from the decision: above 0 beside 'attributed', not above 0 beside 'unknown'.
        reason: why the decision is what it is.
        changes: what would change it.
        next_step: what to do next.
        images: of the probe that were used.
        condition: in which the probe and the enrolled images were compared: 'original' for as they are.
            ``evidence.condition`` says why.
        evidence: scores, threshold and tests behind the decision; None of an error.
        left_out: images that could not be used, and why.
        said: what else is to be known of it, in sentences.
        claims: what the probe's files say of how they were made, beside the evidence; None where nobody looked.
        copies: images that look like enrolled ones or like one another, and the answer without them; None where nobody
            looked.
        expected: how such sets of the gallery's own were answered; None without a threshold, or if not counted yet.
        stress: what became of the answer after deliveries and for parts of the images; None if that was not asked.
        asked: what reports need beside.
    """

    probe: str
    decision: str
    source: str | None
    llr: float | None
    reason: str
    images: int
    condition: str = ORIGINAL
    evidence: Evidence | None = None
    left_out: tuple[LeftOut, ...] = ()
    said: tuple[str, ...] = ()
    claims: SetClaims | None = None
    changes: str = ""
    next_step: str = ""
    copies: Copies | None = None
    expected: Expected | None = None
    stress: Stress | None = None
    asked: Asked | None = field(default=None, repr=False, compare=False, metadata={"aside": True})

    @property
    def verdict(self) -> str:
        to = f" to {self.source}" if self.source else ""
        sure = f", with {support(self.llr)}" if self.source and self.llr is not None else ""
        return f"{self.probe}: {self.decision}{to}{sure} ({self.reason})"

    def plot(self, ax: Axes) -> Axes:
        """Raw log likelihood ratios of the candidates."""
        shown = self.evidence.candidates[:10][::-1] if self.evidence else ()
        ax.barh([plain_text(c.source) for c in shown], [c.raw_llr for c in shown])
        ax.set_xlabel("log likelihood ratio against an unknown source")
        return ax


def failed(probe: str, reason: str) -> Attribution:
    """The answer to a probe that could not be read."""
    return Attribution(probe, ERROR, None, None, reason, 0)
