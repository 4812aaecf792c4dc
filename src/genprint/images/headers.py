"""What the headers of lossy files say of how they were saved: JPEG's tables, WebP's quantiser, AVIF's brand."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image as Pillow

# Luminance table of Annex K of the JPEG standard, in natural order.
_LUMINANCE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)

Tables = tuple[tuple[int, ...], ...]


def jpeg_quality(table: list[int]) -> int:
    """The quality of the Independent JPEG Group's scale whose luminance table is nearest; natural order."""
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = ((_LUMINANCE * scale[:, None] + 50) // 100).clip(1, 255)
    return int(qualities[np.abs(tables - np.array(table)).sum(1).argmin()])


@cache
def standard_tables(quality: int) -> Tables:
    """The tables that the Independent JPEG Group's library, and so Pillow, saves with at a quality."""
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    with Pillow.open(buffer) as image:
        return tuple(tuple(table) for _, table in sorted(image.quantization.items()))  # type: ignore[attr-defined]


def usual_webp_quality(quantiser: int) -> int:
    """The quality at which libwebp saves most photographs with that quantiser."""
    return min(range(101), key=lambda quality: abs(_usual_quantiser(quality / 100) - quantiser))


def _usual_quantiser(quality: float) -> float:
    """libwebp's ``VP8SetSegmentParams`` for a segment that is as smooth as the smoothest of photographs are."""
    linear = quality * 2 / 3 if quality < 0.75 else 2 * quality - 1
    return float(127 * (1 - linear ** (1.404 / 3)))


_HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def isobmff_kind(content: bytes) -> str | None:
    """AVIF or HEIF, by the brands of a file's first box (ISO/IEC 23008-12, annex B); None of anything else."""
    if content[4:8] != b"ftyp":
        return None
    box = content[8 : min(int.from_bytes(content[:4], "big"), 256)]
    brands = {box[at : at + 4] for at in range(0, len(box), 4) if at != 4}  # the second word is a version
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & (_HEVC | {b"mif1", b"msf1"}) else None


def webp_quantiser(content: bytes) -> int | None:
    """The base quantiser, 0 to 127, of a lossy WebP (RFC 6386, section 9); None of anything else."""
    start = content.find(b"VP8 ", 12, 2**16)
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or start < 0:
        return None
    frame = content[start + 8 :]
    if frame[3:6] != b"\x9d\x01\x2a" or frame[0] & 1:
        return None
    bits = _BoolDecoder(frame[10:])
    bits.number(2)  # colour space, clamping
    if bits.number(1):  # segments
        maps, data = bits.number(1), bits.number(1)
        if data:
            bits.number(1)
            bits.skip(4, 8)  # of quantisers
            bits.skip(4, 7)  # of loop filters
        if maps:
            bits.skip(3, 8)
    bits.number(10)  # loop filter: type, level, sharpness
    if bits.number(1) and bits.number(1):
        bits.skip(8, 7)
    bits.number(2)  # partitions
    return bits.number(7)


class _BoolDecoder:
    """The arithmetic decoder of VP8 (RFC 6386, section 7), for bits that are zero as often as one."""

    def __init__(self, data: bytes):
        self._data, self._at = data + bytes(2), 2
        self._value, self._range, self._shifted = int.from_bytes(self._data[:2], "big"), 255, 0

    def _bit(self) -> int:
        split = 1 + (self._range - 1 >> 1)
        bit = int(self._value >= split << 8)
        self._range, self._value = (self._range - split, self._value - (split << 8)) if bit else (split, self._value)
        while self._range < 128:
            self._value, self._range, self._shifted = self._value << 1, self._range << 1, self._shifted + 1
            if self._shifted == 8:
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at, self._shifted = self._at + 1, 0
        return bit

    def number(self, bits: int) -> int:
        """Of so many bits, the highest first."""
        value = 0
        for _ in range(bits):
            value = 2 * value + self._bit()
        return value

    def skip(self, fields: int, bits: int) -> None:
        """Optional fields: each a bit that says whether it is there, then so many."""
        for _ in range(fields):
            if self._bit():
                self.number(bits)
