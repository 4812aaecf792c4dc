"""What was found of a probe's condition, for the answer: what it is, by what, how surely, and what was not matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from genprint.fingerprints.conditions import ORIGINAL
from genprint.images.processing import Processing
from genprint.scoring.told import Told

#: By what a condition was found: what files say of themselves (headers, sizes), what pixels show, comparison.
HEADER, PIXELS, SEARCH = "header", "pixels", "search"
_BY = {
    HEADER: "as the headers and sizes of its files say",
    PIXELS: "as its pixels show (log likelihood ratio {nats:.0f})",
    SEARCH: "in which the enrolled images explain it best (log likelihood ratio {nats:.0f})",
}


@dataclass(frozen=True)
class ConditionFound:
    """The condition of a probe, and how it was compared.

    Attributes:
        name: of the condition: 'JPEG 80'; 'original' if none was found.
        by: 'header' if the files say so, 'pixels' if these show it, 'search' if it explains the probe best among some
            that were tried; None if none was found.
        nats: that speak for it: by pixels, the log likelihood ratio for an earlier JPEG, or for its quality if that is
            less; by search, the gain in log density. None where files say it.
        images: of the probe.
        files: how many of them were saved how, as far as that is known.
        matched: whether the enrolled images were brought to it.
        brought_to: how the probe was saved again, as the enrolled images are; None if it was compared as it is.
        unmatched: what could not be made alike, in sentences.
        said: all of it, in sentences.
    """

    name: str
    by: str | None
    nats: float | None
    images: int
    files: Mapping[str, int] = field(default_factory=dict)
    matched: bool = False
    brought_to: str | None = None
    unmatched: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        told: Told,
        processing: Processing | None = None,
        gained: float | None = None,
        matched: bool = True,
        brought_to: Processing | None = None,
        unmatched: Iterable[str] = (),
    ) -> ConditionFound | None:
        """Of a condition that was found; None where none was, and there is nothing to tell.

        Args:
            told: what the probe's files and pixels tell.
            processing: the condition.
            gained: what speaks for it beside what is told.
            matched: whether the enrolled images are brought to it.
            brought_to: how the probe was saved again.
            unmatched: what could not be made alike.
        """
        unmatched = (*unmatched, *_of_files(told, processing, brought_to), *_of_pixels(told))
        if not (processing or brought_to or unmatched):
            return None
        by, nats = _by(told, processing, gained) if processing else (None, None)
        found = cls(
            processing.name if processing else ORIGINAL, by, nats, sum(map(len, told.probes)), told.words,
            bool(processing) and matched, brought_to.name if brought_to else None, unmatched,
        )  # fmt: skip
        return replace(found, said=found._in_words())

    def _in_words(self) -> tuple[str, ...]:
        said = []
        if self.by:
            said.append(f"The probe is in the condition {self.name}, {_BY[self.by].format(nats=self.nats)}.")
        if self.matched:
            said.append(f"It was compared with the enrolled images after {self.name}.")
        if self.brought_to:
            said.append(
                f"The enrolled images were saved as {self.brought_to}, the probe without loss: both were compared as "
                f"{self.brought_to}."
            )
        return (*said, *self.unmatched)


def _by(told: Told, processing: Processing, gained: float | None) -> tuple[str, float | None]:
    """By what a condition was found, and the nats that speak for it."""
    clear = min(told.history.evidence, told.history.clarity)
    if processing == told.earlier:
        return PIXELS, clear
    if gained is not None:
        return SEARCH, gained
    return (HEADER, None) if told.saved else (PIXELS, clear)


def _of_files(told: Told, processing: Processing | None, brought_to: Processing | None) -> list[str]:
    """What there is to say of a probe whose files were not all saved alike."""
    if len(told.words) < 2:
        return []
    counts = ", ".join(f"{count} {kind}" for kind, count in told.words.items())
    most = told.saved.name if told.saved else None
    if not (most or processing or brought_to):
        return [f"The probe's files were saved differently ({counts}), which was not matched."]
    as_if = f"{most or 'lossless'}, as most are"
    return [f"The probe's files were saved differently ({counts}); all were compared as if they were {as_if}."]


def _of_pixels(told: Told) -> list[str]:
    """What there is to say of an earlier JPEG that shows, but not well enough to be matched."""
    said = "The probe's pixels show an earlier JPEG, but not of which quality, so that it was not matched."
    return [said] if told.unclear else []
