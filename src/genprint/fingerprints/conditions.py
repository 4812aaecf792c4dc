"""Conditions: the processing that a set is in, and those that enrolled images are brought to.

What a probe has been through cannot be undone, but it can be done to the enrolled images, too, when a probe asks for it
(multi-condition enrollment, as in speaker verification).
"""

from __future__ import annotations

from collections.abc import Mapping

from genprint.images.processing import Blur, Chain, Jpeg, Noise, Processing, Resize, Shift

#: The condition of images that nothing is known to have been done to.
ORIGINAL = "original"
#: Images of each enrolled source that are compared in other conditions: the first by digest.
KEPT = 32


def by_name(*processings: Processing) -> Mapping[str, Processing]:
    """Processings by their names, in this order."""
    return {processing.name: processing for processing in processings}


SHIFTS = (Shift(0, 1), Shift(1, 0), Shift(1, 1))
CONDITIONS: Mapping[str, Processing] = by_name(
    *(Jpeg(quality) for quality in (95, 90, 82, 70, 50)),
    *(Jpeg(quality, "4:4:4") for quality in (95, 88, 75)),
    Resize(0.75),
    *(Blur(sigma) for sigma in (0.5, 1.0)),
    *(Noise(levels) for levels in (2, 5)),
    *SHIFTS,
    # Cropped, then saved: of other qualities too, this is nearer than either alone.
    *(Chain((shift, Jpeg(82))) for shift in SHIFTS),
)
