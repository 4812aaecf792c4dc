"""What an answer says of sizes: images of several sizes in a probe, and of others than are enrolled."""

from __future__ import annotations

from collections.abc import Iterable

from genprint.fingerprints.fingerprint import Fingerprint

_UNLIKE = 1.1  # what longer sides differ by, as a ratio, before it is said


def said_of_sizes(probe: Fingerprint, known: Iterable[Fingerprint], resizing_told: bool = False) -> tuple[str, ...]:
    """Sentences on the longer sides of a probe's images, in pixels, and of the enrolled ones, as far as they are known.

    Args:
        probe: as it was read.
        known: what is enrolled.
        resizing_told: whether the answer says already that the probe was resized.
    """
    sides = _sides([probe])
    enrolled = _sides(known)
    if not sides:
        return ()
    said = []
    if _differ(sides[0], sides[-1]):
        said.append(
            f"The probe's images are of {_span(sides)}, by the longer side, and were compared as one set. A resized "
            "image bears another trace than one as it was made: ask about each size by itself."
        )
    if not enrolled or resizing_told:
        return tuple(said)
    larger, smaller = _differ(enrolled[-1], sides[0]), _differ(sides[-1], enrolled[0])
    if larger or smaller:
        said.append(
            f"The probe's images ({_span(sides)}) are {'larger' if larger else 'smaller'} than all enrolled ones "
            f"({_span(enrolled)}). A model's trace may differ by size: 'unknown' may come of that alone, and an "
            "attribution is less sure. Enroll images of the probe's size."
        )
    return tuple(said)


def _sides(fingerprints: Iterable[Fingerprint]) -> list[int]:
    return sorted({side for fingerprint in fingerprints for one in fingerprint.originals for side in one.sides})


def _differ(smaller: int, larger: int) -> bool:
    return larger > _UNLIKE * smaller


def _span(sides: list[int]) -> str:
    return f"{sides[0]} px" if sides[0] == sides[-1] else f"{sides[0]} to {sides[-1]} px"
