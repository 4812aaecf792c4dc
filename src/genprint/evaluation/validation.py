"""What a validation found: rates of answers and worth of likelihood ratios, each with its counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genprint.answers.expected import ENOUGH_SETS, ENOUGH_SOURCES
from genprint.answers.results import plain_values
from genprint.evaluation.calibration import Calibration
from genprint.evaluation.intervals import Mean


@dataclass(frozen=True)
class Share:
    """How many of some sets came out so, and the mean over sources of the share that did."""

    count: int
    sets: int
    mean: Mean


@dataclass(frozen=True)
class Rates:
    """What became of sets of one size, condition and number of images.

    Attributes:
        px: of the images' longer side, from and to; '' where the gallery does not say it.
        condition: in which they were delivered.
        images: in a set.
        right: attributed to their source.
        wrong: attributed to another one, though their own was enrolled.
        false: attributed, while their source was not enrolled.
    """

    px: str
    condition: str
    images: int
    right: Share
    wrong: Share
    false: Share

    @property
    def enough(self) -> bool:
        """Whether there are so many sets and sources that the rates say something."""
        return self.right.sets >= ENOUGH_SETS and self.right.mean.sources >= ENOUGH_SOURCES


@dataclass(frozen=True)
class Ratios:
    """What likelihood ratios were worth of sets in one condition, of one number of images.

    Attributes:
        found: of the probe's own source, and, where that is not enrolled, of the best of the others, which is the one
            that an answer tells.
    """

    condition: str
    images: int
    found: Calibration

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, of the ratios themselves their percentiles: a Tippett plot needs no more."""
        return {"condition": self.condition, "images": self.images, **_with_percentiles(self.found)}


def _with_percentiles(found: Calibration) -> dict[str, Any]:
    values: dict[str, Any] = plain_values(found)
    for kind in ("same", "different"):
        every = np.concatenate([np.array(llrs) for llrs in getattr(found, kind).values()])
        values[kind] = {"ratios": len(every), "percentiles": np.percentile(every, range(101)).round(4).tolist()}
    return values


@dataclass(frozen=True)
class Validation:
    """What a gallery's answers are worth, by its own images.

    Attributes:
        rate: of false attributions that was asked for, or the least that so many sources support.
        rates: by size, condition and number of images.
        ratios: by condition and number of images.
        known: images of each source that stayed enrolled while the others were asked.
        held: images held back.
        sources: of the gallery.
        lacking: what could not be measured, in sentences.
    """

    rate: float
    rates: tuple[Rates, ...]
    ratios: tuple[Ratios, ...]
    known: dict[str, int] = field(repr=False)
    held: dict[str, int] = field(repr=False)
    sources: int
    lacking: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        rates = [{**plain_values(one), "enough": one.enough} for one in self.rates]
        return {**plain_values(self), "rates": rates, "ratios": [one.to_dict() for one in self.ratios]}


def span(side: float | None) -> str:
    """The octave that a longer side lies in, in pixels.

    Example:
        >>> span(32), span(33), span(500), span(None)
        ('17 to 32', '33 to 64', '257 to 512', '')
    """
    if not side:
        return ""
    octave = int(np.ceil(np.log2(max(side, 1))))
    return f"{2 ** (octave - 1) + 1} to {2**octave}" if octave else "1"
