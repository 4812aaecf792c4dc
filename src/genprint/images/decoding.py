"""From a file's bytes to pixels, and what the file says of itself.

Nothing here resizes, recompresses or colour-converts what carries the trace. What does change is recorded with
the image: grey and palette become RGB, alpha is dropped, CMYK is converted by Pillow's rule, more than eight bits
keep their upper eight by the rule of ``_eight_bits``; orientation tags are ignored, other than of HEIC, whose decoder
turns images as its standard has it.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFile, JpegImagePlugin, UnidentifiedImageError, features

from genprint.images.claims import Claims, read_claims
from genprint.images.formats import damaged, not_read
from genprint.images.headers import (
    Tables,
    isobmff_kind,
    jpeg_quality,
    standard_tables,
    usual_webp_quality,
    webp_quantiser,
)
from genprint.images.manifest import TrustList, has_manifest

MIN_SIDE = 16
#: Longest side, in pixels, of thumbnails. Larger images are pictures: features are means over many of their places.
THUMBNAIL_SIDE = 64
MAX_PIXELS = 2**26
MAX_BYTES = 2**28  # of a file

# What an image is decoded from: a file's bytes, or pixels at hand.
Content = bytes | np.ndarray | Pillow.Image


class Unusable(ValueError):
    """One image has to be left out; the message says why."""


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself, apart from its pixels.

    Attributes:
        format: as Pillow calls it: PNG, JPEG, WEBP, AVIF, HEIF ...
        mode: of its pixels as stored: RGB, L, P, RGBA ...
        quality: of a JPEG or lossy WebP, on the scale of libjpeg or libwebp, estimated from its quantisation.
        tables: of a JPEG's quantisation, in natural order, where they are not those of that quality.
        quantiser: of a lossy WebP.
        subsampling: of a JPEG's chroma: 4:4:4, 4:2:2, 4:2:0.
        metadata: names of the entries beside the pixels, and the value of those that name the software.
        claims: what it says of how it was made; None where nobody looked.
    """

    format: str
    mode: str
    quality: int | None = None
    subsampling: str | None = None
    tables: Tables = ()
    quantiser: int | None = None
    metadata: tuple[str, ...] = ()
    claims: Claims | None = None


@dataclass(frozen=True)
class Image:
    """One image: uint8 pixels ``(h, w, 3)``, SHA-256 of the file as it was, and what was converted.

    ``facts`` is None where the image came from an array.
    """

    name: str
    sha256: str
    pixels: np.ndarray
    conversions: tuple[str, ...] = ()
    facts: FileFacts | None = None


@contextmanager
def _pillow_errors(content: bytes = b"") -> Iterator[None]:
    """Pillow raises many things on bad files; each becomes a reason. ``content``: the file, if there is one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Unusable:
        raise
    except Pillow.DecompressionBombError:
        raise Unusable(f"more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise Unusable(not_read(content)) from None
    except MemoryError:
        raise Unusable("too large for memory") from None
    except Exception as error:
        raise Unusable(damaged(content, str(error))) from None


def open_image(content: bytes) -> ImageFile.ImageFile:
    """The image in a file, its header read.

    Not EPS: that is a program, which another one would be started to run. Nor ICO, which is decoded before its size is
    known.

    Raises:
        Unusable: it is of a kind whose codec is not installed; the message says how to have it.
    """
    Pillow.init()
    kind = isobmff_kind(content)
    if kind == "AVIF" and not features.check("avif"):
        raise Unusable("AVIF, which this Pillow cannot read: pip install 'pillow>=11.3'")
    if kind == "HEIF" and not _heif_opener():
        raise Unusable("HEIC, whose codec is not installed: pip install 'genprint[heic]'")
    return Pillow.open(io.BytesIO(content), formats=[kind for kind in Pillow.OPEN if kind not in ("EPS", "ICO")])


@cache
def _heif_opener() -> bool:
    """Has Pillow read HEIC, if that can be; not before there is one, as the codec is large."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def size_of(content: Content) -> tuple[int, int]:
    """Height and width of an image, which is not decoded.

    Raises:
        Unusable: it is no image, or of a size that is left out.
    """
    if isinstance(content, np.ndarray):
        height, width = content.shape[:2]
    elif isinstance(content, Pillow.Image):
        width, height = content.size
    else:
        with _pillow_errors(content), open_image(content) as image:
            width, height = image.size
    _check_size(width, height)
    return height, width


def decode(name: str, content: Content, claims: TrustList | None = None) -> Image:
    """The image in a file, in an array uint8 ``(h, w, 3)`` or ``(h, w)``, or a Pillow image.

    Args:
        name: of the image.
        content: that it is decoded from.
        claims: by which trust list what a file says of its making is read, too; by default it is not.

    Raises:
        Unusable: it has to be left out; the message says why.
    """
    conversions: tuple[str, ...] = ()
    if isinstance(content, Pillow.Image):
        with _pillow_errors():
            _check_size(*content.size)
            pixels, conversions = _to_rgb(content)
        return Image(name, _pixels_digest(pixels), pixels, conversions)
    if isinstance(content, np.ndarray):
        if content.dtype != np.uint8 or content.ndim not in (2, 3) or (content.ndim == 3 and content.shape[2] != 3):
            raise Unusable(f"an image is uint8 of shape (h, w, 3) or (h, w), not {content.dtype} {content.shape}")
        pixels = np.repeat(content[:, :, None], 3, axis=2) if content.ndim == 2 else np.ascontiguousarray(content)
        _check_size(pixels.shape[1], pixels.shape[0])
        return Image(name, _pixels_digest(content), pixels)
    if not content:
        raise Unusable("empty file")
    sha256 = hashlib.sha256(content).hexdigest()
    with _pillow_errors(content), open_image(content) as image:
        _check_size(*image.size)
        wide = any("16" in str(_raw_mode(tile)) for tile in image.tile[:1])
        image.load()
        facts = _facts(image, content, claims)
        pixels, conversions = _to_rgb(image)
        if wide and "I" not in image.mode:
            if pixels.max() < _DARK:  # what is lost tells fewer bits from a dark image
                raise Unusable("16 bits, of which the upper ones are not used; save it as 8 bits")
            conversions += ("16 bits to 8: upper byte",)
        if (bits := image.info.get("bit_depth", 8)) > 8:
            conversions += (f"{bits} bits to 8",)
        if getattr(image, "n_frames", 1) > 1:
            conversions += ("first frame only",)
    return Image(name, sha256, pixels, conversions, facts)


def _pixels_digest(pixels: np.ndarray) -> str:
    """SHA-256 of an image that did not come from a file."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _raw_mode(tile: Any) -> Any:
    """How pixels are stored; other arguments of a tile's decoder may come with it."""
    return tile[3][0] if isinstance(tile[3], tuple) and tile[3] else tile[3]


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise Unusable(f"{width}x{height}: smaller than {MIN_SIDE} px")
    if width * height > MAX_PIXELS:
        raise Unusable(f"{width}x{height}: more than {MAX_PIXELS} pixels")


def _to_rgb(image: Pillow.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    mode = image.mode
    if mode == "RGB":
        return np.array(image), ()
    if mode == "F":
        raise Unusable("floating-point pixels have no agreed white level; save it as 8 bits")
    if mode.startswith("I"):
        levels, converted = _eight_bits(np.array(image).astype(np.int64))
        return np.repeat(levels[:, :, None], 3, axis=2), (converted, "grey to RGB")
    if mode in ("RGBA", "RGBX", "RGBa"):
        return np.array(image)[:, :, :3].copy(), ("alpha dropped",)
    if mode == "LA":
        return np.repeat(np.array(image)[:, :, :1], 3, axis=2), ("alpha dropped", "grey to RGB")
    return np.array(image.convert("RGB")), (f"{mode} to RGB",)


def _eight_bits(levels: np.ndarray) -> tuple[np.ndarray, str]:
    """Integer levels as uint8, and what was done.

    Files of 16 or 32 bits often hold levels of fewer, and do not say so. Taken is the least of 8, 10, 12, 14 and 16
    bits that holds all of an image's levels, and of these the upper eight.

    Raises:
        Unusable: there are levels that no such number of bits holds.
    """
    low, high = int(levels.min()), int(levels.max())
    bits = next((bits for bits in _BITS if low >= 0 and high < 2**bits), None)
    if bits is None:
        raise Unusable(f"levels from {low} to {high} have no agreed white level; save it as 8 or 16 bits")
    said = "16 bits to 8: upper byte" if bits == 16 else f"{bits} bits used to 8" if bits > 8 else "8 bits used"
    return (levels >> bits - 8).astype(np.uint8), said


_BITS = (8, 10, 12, 14, 16)
_DARK = 64  # what the upper byte of 14 bits stays below
_SOFTWARE = 305  # EXIF tag
# What Pillow tells of any JPEG, and its plug-in of any HEIC.
_NOT_METADATA = {
    *("jfif_version", "jfif_unit", "jfif_density"),
    *("primary", "bit_depth", "metadata", "thumbnails", "depth_images", "aux", "chroma", "nclx_profile"),
    "original_orientation",
}


def _facts(image: Pillow.Image, content: bytes, claims: TrustList | None) -> FileFacts:
    metadata = {str(key) for key, value in image.info.items() if key not in _NOT_METADATA and value is not None}
    for key in ("Software", "software"):
        if key in image.info:
            metadata.add(f"{key}={image.info[key]}")
    try:
        if software := image.getexif().get(_SOFTWARE):
            metadata.add(f"Software={software}")
    except Exception:  # the pixels are good all the same
        metadata.add("unreadable EXIF")
    if has_manifest(content):
        metadata.add("C2PA manifest")
    quantiser, subsampling = webp_quantiser(content), None
    quality = None if quantiser is None else usual_webp_quality(quantiser)
    tables: Tables = ()
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        quality = jpeg_quality(next(iter(image.quantization.values())))
        subsampling = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(JpegImagePlugin.get_sampling(image))
        tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
        if tables == standard_tables(quality)[: len(tables)]:
            tables = ()
    said = tuple(sorted(metadata))
    claimed = None if claims is None else read_claims(image, content, claims)
    return FileFacts(image.format or "?", image.mode, quality, subsampling, tables, quantiser, said, claimed)
