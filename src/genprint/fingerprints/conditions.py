"""Conditions: the processing that a set is in, and those that enrolled images are brought to.

What a probe has been through cannot be undone, but it can be done to the enrolled images, too, when a probe asks for it
(multi-condition enrollment, as in speaker verification).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from genprint.images.headers import usual_webp_quality
from genprint.images.processing import Blur, Chain, Crop, Grey, Jpeg, Noise, Processing, Resize, Scale, Shift, WebP

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

_NUMBER = r"(\d+(?:\.\d+)?)"
_NAMED: tuple[tuple[str, Callable[..., Processing]], ...] = (
    (r"JPEG (\d+)(?: (4:4:4|4:2:2|4:2:0))?", lambda quality, sub: Jpeg(int(quality), sub or "4:2:0")),
    (r"WebP (\d+)", lambda quality: WebP(_quantiser(int(quality)))),
    (rf"resize {_NUMBER} ?%", lambda share: Resize(float(share) / 100)),
    (rf"scale {_NUMBER} ?%", lambda share: Scale(float(share) / 100)),
    (rf"blur {_NUMBER}", lambda sigma: Blur(float(sigma))),
    (rf"noise {_NUMBER}", lambda levels: Noise(float(levels))),
    (r"crop (\d+)", lambda margin: Crop(int(margin))),
    (r"shift (\d+),(\d+)", lambda down, right: Shift(int(down), int(right))),
    (r"grey", Grey),
)


def named(text: str) -> Processing:
    """The processing of that name; several with commas and spaces between are done one after another.

    Raises:
        ValueError: there is none.

    Example:
        >>> named("resize 75 %, JPEG 90")
        Chain(steps=(Resize(share=0.75), Jpeg(quality=90, subsampling='4:2:0', tables=())))
    """
    steps = [_step(part) for part in re.split(r",\s+", text.strip())]
    return steps[0] if len(steps) == 1 else Chain(tuple(steps))


def _step(name: str) -> Processing:
    for pattern, make in _NAMED:
        if found := re.fullmatch(pattern, name.strip(), re.IGNORECASE):
            return make(*found.groups())
    raise ValueError(
        f"{name}: no such processing; there are JPEG 75, JPEG 90 4:4:4, WebP 80, resize 75 % (and back), scale 50 %, "
        "blur 0.5, noise 2, crop 2, shift 1,1 and grey"
    )


def _quantiser(quality: int) -> int:
    """Of WebP, what most photographs are saved with at a quality."""
    return min(range(128), key=lambda quantiser: abs(usual_webp_quality(quantiser) - quality))
