"""The decision on a probe: what the tests together say, why, and what to do next."""

from __future__ import annotations

from enum import StrEnum

from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN
from genprint.scoring.exchangeability import ALPHA

#: Posterior that an attribution needs of the best candidate by default; with less, another explains about as well.
MIN_POSTERIOR = 0.75


class Reason(StrEnum):
    """Why a decision is what it is; ``{best}``, ``{second}``, ``{separates}`` and ``{joins}`` are filled in."""

    NO_THRESHOLD = "no threshold can be set with so few sources or images"
    BELOW_THRESHOLD = "the nearest source, {best}, stays below the threshold"
    BELOW_WITH_RIVAL = BELOW_THRESHOLD + "; {best} and {second} explain it about as well; {separates}"
    RIVAL_FITS = "best score for {best}, but the exchangeability test rejects {best} and not {second}"
    NOT_EXCHANGEABLE = "passes the threshold of {best}, but is not exchangeable with its images"
    RELATED = "close to {best}, but not exchangeable with its images: possibly a related model (other seed, fine-tuned)"
    RIVAL_NEAR = "{best} and {second} explain it about as well; {separates}"
    SUPPORTED_BELOW = (
        "the images speak for {best} rather than for a source that is not enrolled, but not clearly enough: its score "
        "stays below the threshold"
    )
    SUPPORTED_WITH_RIVAL = SUPPORTED_BELOW + "; {best} and {second} explain it about as well; {separates}"
    NOT_SUPPORTED = (
        "{best} passes the threshold, but the images speak no more for it than for a source that is not enrolled"
    )
    TWINS = "{best} and {second} are the same as far as anybody can tell: {joins}"
    PASSED = "{best} passes the threshold and no other source comes near"

    @property
    def changes(self) -> str:
        """What would change the answer."""
        return _ADVICE[self][0]

    @property
    def next_step(self) -> str:
        """What to do next."""
        return _ADVICE[self][1]


_NOT_ENROLLED = (
    "The right source being enrolled; more images; the files as they were made, if these were saved anew or resized.",
    "Enroll other sources that come into question, in the size and form of these images, and ask again.",
)
_RELATIVE = (
    "The right relative of {best} being enrolled: another seed, a fine-tuned version, another release.",
    "Enroll relatives of {best} and ask again; genprint lineage tells what is derived from what.",
)
_MORE_IMAGES = (
    "More images of the same origin: they decide it one way or the other.",
    "Name no source. Ask again with all images of the same origin that there are.",
)
_RIVALS = (
    "More images, of the probe or of {best} and {second}.",
    "Name neither. If {best} and {second} are one model, enroll them as one (genprint audit tells such twins).",
)
_ADVICE = {
    Reason.NO_THRESHOLD: (
        "Three enrolled sources or more, of two images each: with fewer, nothing tells how alike sources are.",
        "Enroll more sources, the likely ones and their relatives first; ten of 16 images each serve well.",
    ),
    Reason.BELOW_THRESHOLD: _NOT_ENROLLED,
    Reason.BELOW_WITH_RIVAL: _NOT_ENROLLED,
    Reason.RIVAL_FITS: _RIVALS,
    Reason.NOT_EXCHANGEABLE: _RELATIVE,
    Reason.RELATED: _RELATIVE,
    Reason.RIVAL_NEAR: _RIVALS,
    Reason.SUPPORTED_BELOW: _MORE_IMAGES,
    Reason.SUPPORTED_WITH_RIVAL: _RIVALS,
    Reason.NOT_SUPPORTED: _MORE_IMAGES,
    Reason.TWINS: (
        "{best} and {second} being enrolled as one, or one of them being removed.",
        "Name neither, or both. Find out whether they are one model, and keep one of them (genprint audit GALLERY).",
    ),
    Reason.PASSED: (
        "A relative of {best} that is not enrolled, such as another seed or a fine-tuned version, may pass for it.",
        "Ask whether it survives how the images may have been delivered (--stress), and look for evidence of another "
        "kind.",
    ),
}


def decide(  # noqa: PLR0913
    score: float | None,
    threshold: float | None,
    p: float,
    posterior: float,
    rival_near: bool,
    rival_p: float | None,
    min_posterior: float,
    llr: float | None = None,
    alpha: float = ALPHA,
    twinned: bool = False,
) -> tuple[str, Reason]:
    """The decision on a probe. It never points the other way from the likelihood ratio.

    Args:
        score: of the best candidate, normalised; None without a threshold.
        threshold: that it has to reach; None if it could not be set.
        p: of the exchangeability test against the best candidate; 1 where it does not count.
        posterior: of the best candidate, and of its twins, among the enrolled sources.
        rival_near: whether the second candidate explains the probe about as well.
        rival_p: of the exchangeability test against the second candidate; None if not asked.
        min_posterior: that an attribution needs.
        llr: log likelihood ratio of the best candidate against a source that is not enrolled; None if there is none.
        alpha: level of the exchangeability test.
        twinned: whether another enrolled source is the same as the best candidate, as far as anybody can tell.
    """
    if score is None or threshold is None:
        return INCONCLUSIVE, Reason.NO_THRESHOLD
    supported = llr is not None and llr > 0
    if score < threshold:
        if supported:
            return INCONCLUSIVE, Reason.SUPPORTED_WITH_RIVAL if rival_near else Reason.SUPPORTED_BELOW
        return UNKNOWN, Reason.BELOW_WITH_RIVAL if rival_near else Reason.BELOW_THRESHOLD
    if p <= alpha:
        if rival_near and rival_p is not None and rival_p > alpha:
            return INCONCLUSIVE, Reason.RIVAL_FITS
        return (INCONCLUSIVE, Reason.RELATED) if supported else (UNKNOWN, Reason.NOT_EXCHANGEABLE)
    if posterior < min_posterior:
        return INCONCLUSIVE, Reason.RIVAL_NEAR
    if llr is not None and not supported:
        return INCONCLUSIVE, Reason.NOT_SUPPORTED
    return (INCONCLUSIVE, Reason.TWINS) if twinned else (ATTRIBUTED, Reason.PASSED)
