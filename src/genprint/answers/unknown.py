"""What 'unknown' does not say: that nothing generated the images."""

from __future__ import annotations

from genprint.answers.results import UNKNOWN

NOT_REAL = (
    "Unknown does not mean real: a generator that is not enrolled is unknown, too, and so may be images that were "
    "changed after they were made."
)


def said_of_unknown(decision: str) -> tuple[str, ...]:
    """The sentence that belongs beside the decision 'unknown'; nothing beside any other."""
    return (NOT_REAL,) if decision == UNKNOWN else ()
