"""Thumbnails: small pictures that a page holds in itself, for people to look at. No method ever sees one."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from genprint.images.decoding import Content, Unusable, decode, open_image
from genprint.images.sets import ImageSet

SIDE = 96  # px, of the longer side; a small image stays as it is
_QUALITY = 70  # of their JPEG: about 2 kB each


def thumbnails(images: ImageSet, names: Iterable[str]) -> dict[str, str]:
    """Data addresses of thumbnails of the images that have these names; the others are not read.

    An image that cannot be read any more has none.
    """
    made: dict[str, str] = {}
    for name, read in images.only(names).members:
        with suppress(Unusable, OSError, Pillow.DecompressionBombError):
            if name not in made:
                made[name] = _uri(name, read())
    return made


def _uri(name: str, content: Content) -> str:
    small = _small(name, content)
    small.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _small(name: str, content: Content) -> Pillow.Image:
    """The image as RGB, turned as its file says, and, of a large JPEG, read at a fraction of its size."""
    if isinstance(content, bytes):
        with suppress(Pillow.DecompressionBombError, SyntaxError, ValueError), open_image(content) as image:
            if image.mode == "RGB":
                image.draft("RGB", (SIDE, SIDE))
                turned: Pillow.Image = ImageOps.exif_transpose(image)
                return turned
    return Pillow.fromarray(np.ascontiguousarray(decode(name, content).pixels))
