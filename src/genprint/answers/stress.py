"""What became of an answer under stress: after plausible deliveries of its images, and with some of them alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Delivery:
    """The answer to the same images after a delivery.

    Attributes:
        name: what was done to the images on their way: 'JPEG 75', 'half size'.
        decision: 'attributed', 'unknown' or 'inconclusive'.
        source: to which they are attributed then, else None.
        llr: natural log of the calibrated likelihood ratio of the best candidate then; None without a calibration.
        condition: in which they and the enrolled images were compared then.
        images: that could be used then.
        draws: answers to parts of them, asked for where they would be attributed to another source than before.
    """

    name: str
    decision: str
    source: str | None
    llr: float | None
    condition: str
    images: int
    draws: Draws | None = None


@dataclass(frozen=True)
class Draws:
    """Answers to random parts of the probe's images: a bootstrap without replacement.

    Drawn with replacement, as a plain bootstrap has it, an image would come twice, which the exchangeability test
    takes for a sign of another source. Two thirds of the images are about as many different ones as such a draw has.

    Attributes:
        images: in a draw.
        count: number of draws.
        attributed: how many were attributed to each source, the most first.
        unknown: how many were 'unknown'.
        inconclusive: how many were 'inconclusive'.
    """

    images: int
    count: int
    attributed: dict[str, int]
    unknown: int
    inconclusive: int


@dataclass(frozen=True)
class Stress:
    """What became of an answer.

    Attributes:
        deliveries: each with its answer.
        draws: answers to parts of the images; None of a single image.
        not_asked: deliveries that make no sense for these images, each with the reason.
        turned: whether the answer was 'attributed', and is 'inconclusive' for what was found here.
        said: all of it, in sentences.
    """

    deliveries: tuple[Delivery, ...]
    draws: Draws | None
    not_asked: tuple[str, ...]
    turned: bool
    said: tuple[str, ...]
