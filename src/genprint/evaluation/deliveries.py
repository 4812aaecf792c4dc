"""Deliveries: images as somebody may send them, saved anew after a processing, as files of their own."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image as Pillow

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.originals import Images
from genprint.images.headers import usual_webp_quality
from genprint.images.members import Contents
from genprint.images.processing import Chain, Jpeg, Processing, WebP
from genprint.images.sets import ImageSet


def delivered(source: Fingerprint, processing: Processing) -> ImageSet | None:
    """Files of a source's images after a processing; the last step says the format, PNG if it names none.

    Of images whose originals are at hand whole: of a part, the file would have another size. None if there are none.
    """
    files = {digest: saved(pixels, processing) for digest, pixels in whole(source)}
    if not files:
        return None
    return ImageSet(source.source, Contents(source.source, tuple(files.values()), tuple(files)), source.source)


def whole(source: Fingerprint) -> Iterator[tuple[str, np.ndarray]]:
    """Digest and pixels, uint8 ``(h, w, 3)``, of the images whose originals are kept whole."""
    wanted = set(source.digests)
    for one in source.originals:
        if isinstance(one, Images):
            sides = dict(zip(one.names, one.sides, strict=True))
            for image in one.read(sorted(wanted & sides.keys())):
                if max(image.pixels.shape[:2]) >= sides[image.sha256]:
                    yield image.sha256, image.pixels


def saved(pixels: np.ndarray, processing: Processing) -> bytes:
    """The file of an image, uint8 ``(h, w, 3)``, after a processing."""
    *before, last = processing.steps if isinstance(processing, Chain) else (processing,)
    if not isinstance(last, Jpeg | WebP):
        before = [*before, last]
    image = Pillow.fromarray(Chain(tuple(before))(pixels[None])[0])
    if isinstance(last, Jpeg):
        return last.encode(image)
    buffer = io.BytesIO()
    if isinstance(last, WebP):  # by the quality that people set, where ``encode`` looks for a file's quantiser
        image.save(buffer, "WEBP", quality=usual_webp_quality(last.quantiser))
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()
