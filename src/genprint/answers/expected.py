"""What to expect of an answer: how a gallery's own images were answered when they were held back."""

from __future__ import annotations

from dataclasses import dataclass

from genprint.fingerprints.conditions import ORIGINAL
from genprint.words import counted

#: From so many sets and sources on, counts say something.
ENOUGH_SETS, ENOUGH_SOURCES = 20, 5


@dataclass(frozen=True)
class Expected:
    """Counts of answers to sets of a gallery's own images, as many as the probe has or as can be held back.

    Attributes:
        images: in each set.
        condition: that the sets and the gallery were compared in.
        sets: of sources that stayed enrolled; these sets' images alone were held back.
        sources: that these sets are of.
        right: of them, how many were attributed to their source.
        wrong: how many were attributed to another one.
        unknown_sets: sets whose whole source was left out.
        unknown_sources: that these are of.
        attributed: of them, how many were attributed all the same, each by a threshold that its source had no part in.
        enough: whether these are sets and sources enough to say anything.
        nearest: whether it is counted among the sources nearest to the probe, of a gallery with more; every probe has
            others.
        said: all of it, in a sentence.
    """

    images: int
    condition: str
    sets: int
    sources: int
    right: int
    wrong: int
    unknown_sets: int
    unknown_sources: int
    attributed: int
    enough: bool
    nearest: bool
    said: str

    @classmethod
    def of(
        cls,
        images: int,
        condition: str,
        known: tuple[int, int, int, int],
        unknown: tuple[int, int, int],
        nearest: int | None = None,
    ) -> Expected:
        """From the counts.

        Args:
            images: in each set.
            condition: its name.
            known: sets, sources, right and wrong, of sources that stayed enrolled.
            unknown: sets, sources and attributed ones, of sources that were left out.
            nearest: number of sources that were compared, if the gallery has more.
        """
        sets, sources, right, wrong = known
        enough = min(sets, unknown[0]) >= ENOUGH_SETS and min(sources, unknown[1]) >= ENOUGH_SOURCES
        size = counted(images, "image")
        where = "" if condition == ORIGINAL else f" in this condition ({condition})"
        whose = f"the own sets of the {nearest} sources nearest to the probe," if nearest else "this gallery's own sets"
        if enough:
            said = (
                f"What to expect: of {whose} of {size}{where}, held back in turn, {right} of {sets} "
                f"from {counted(sources, 'source')} were attributed to their source and {wrong} to another; of sets "
                f"whose source was left out, {unknown[2]} of {unknown[0]} were attributed."
            )
        else:
            who = f"The {nearest} sources nearest to the probe" if nearest else "This gallery"
            said = (
                f"What to expect: too few to say. {who} can hold back {counted(sets, 'set')} of {size} from "
                f"{counted(sources, 'source')}; it takes {ENOUGH_SETS} from {ENOUGH_SOURCES}."
            )
        return cls(images, condition, sets, sources, right, wrong, *unknown, enough, nearest is not None, said)
