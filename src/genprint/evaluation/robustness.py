"""Robustness: the changes after which methods are asked again."""

from __future__ import annotations

from genprint.images.processing import Change, blur, chain, inner, jpeg, noise, resize, shift

CHANGES: dict[str, Change] = {
    "nothing": lambda images: images,
    **{f"JPEG {quality}": jpeg(quality) for quality in (95, 90, 75, 50, 30)},
    "blur 0.5": blur(0.5),
    "blur 1": blur(1.0),
    "noise 2": noise(2),
    "noise 5": noise(5),
    "inner crop": inner(2),
    "one-pixel shift": shift(1, 1),
    "resize 75 %": resize(0.75),
    "resize 75 %, JPEG 90": chain(resize(0.75), jpeg(90)),
}
