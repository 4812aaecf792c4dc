"""The same picture in other files: what an image looks like, whichever file it is in, and which images look alike.

A digest of the pixels finds a picture that was saved again without loss. Perceptual hashes (ImageHash) find one that
was saved with loss, resized, cut by a few percent at the edges or mirrored. Pictures that are no copies may look alike,
too: those of one prompt or one latent, or as plain as digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from genprint.images.decoding import Image

#: Bits of a perceptual hash, and in how many of them those of two pictures that look alike differ at most. Of 125
#: photographs, no two differ in fewer than 78; see docs/copies.md.
BITS, MOST_APART = 256, 72
_SIZE, _FREQUENCIES = 16, 2  # rows and columns of coefficients in a hash, of the lower half of all frequencies
_SIDE = _SIZE * _FREQUENCIES  # px that ImageHash takes them from
_INNER = 0.95  # of each side: a picture that was cut by a few percent looks more like this part than like the whole
_FLAT = 8  # levels between darkest and brightest: of less, a hash would be noise
_BLOCK = 2048  # images compared at a time
# Where known pictures are alike themselves: how many say so, the share of them that may be, and bits at which pictures
# that were saved with loss or resized are still found.
_ASKED, _USUAL, _LEAST_APART = 256, 0.02, 20
_WHOLE, _PART = 0, 1
# Of whose hashes the least distance counts: either of two images may be the one that was cut.
_COMPARED = ((_WHOLE, _WHOLE), (_WHOLE, _PART), (_PART, _WHOLE))
# What mirroring does to a hash: coefficients of odd columns change their sign, and the median of all, above which a
# coefficient has to lie to give a 1, is near zero.
_MIRROR = np.tile(np.where(np.arange(_SIZE) % 2, -1, 1), _SIZE).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """What an image looks like, whichever file it is in.

    Attributes:
        name: of its file, without the folder.
        pixels: SHA-256 of its size and decoded pixels.
        hashes: two perceptual hashes of ``BITS`` bits each, of the whole and of its inner part. Empty if the picture is
            of one level all over: there is nothing to tell it by.
    """

    name: str
    pixels: str
    hashes: bytes


#: Bytes of a look's hashes.
HASHES = 2 * BITS // 8


class Pair(NamedTuple):
    """Two images that look alike.

    Attributes:
        one: place of the first.
        other: place of the second.
        apart: bits in which their hashes differ.
        identical: whether they are the same pixel for pixel.
    """

    one: int
    other: int
    apart: int
    identical: bool


def look(image: Image) -> Look:
    """What an image looks like."""
    pixels = np.ascontiguousarray(image.pixels)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.data)
    return Look(file_name(image.name), digest.hexdigest(), _hashes(pixels))


def file_name(name: str) -> str:
    """Of an image's name, which may be a path or a place in an archive, what comes after the folder."""
    return name.replace("\\", "/").rpartition("/")[2]


def _hashes(pixels: np.ndarray) -> bytes:
    from imagehash import phash  # here, as few commands need it

    picture = Pillow.fromarray(pixels)
    picture = picture.reduce(max(1, min(picture.size) // (4 * _SIDE))).convert("L")  # cheap, where there is much
    if max(picture.size) > 2 * _SIDE:
        picture = picture.resize((2 * _SIDE, 2 * _SIDE), Pillow.Resampling.LANCZOS)
    levels = np.asarray(picture)
    if int(levels.max()) - int(levels.min()) < _FLAT:
        return b""
    width, height = picture.size
    left, top = (1 - _INNER) / 2 * width, (1 - _INNER) / 2 * height
    boxes = (0.0, 0.0, float(width), float(height)), (left, top, width - left, height - top)
    small = (picture.resize((_SIDE, _SIDE), Pillow.Resampling.LANCZOS, box=box) for box in boxes)
    return np.packbits([phash(one, _SIZE, _FREQUENCIES).hash for one in small]).tobytes()


def alike(one: Sequence[Look | None], other: Sequence[Look | None]) -> list[Pair]:
    """Which images of one set look like which of another, the most alike first.

    Args:
        one: looks of the images of the one set, as ``Fingerprint.looks`` has them; None where nothing is known.
        other: of the other set.

    Example:
        >>> grey = Look("a.png", "00", b""), Look("b.bmp", "00", b"")
        >>> alike(grey[:1], grey[1:])
        [Pair(one=0, other=0, apart=0, identical=True)]
    """
    return sorted(_alike(one, other), key=lambda pair: (not pair.identical, pair.apart, pair.one, pair.other))


def alike_within(looks: Sequence[Look | None]) -> list[Pair]:
    """Which images of a set look like which others of it, each pair once: ``one`` comes first in the set."""
    return [pair for pair in alike(looks, looks) if pair.one < pair.other]


def most_apart(known: Sequence[Look | None]) -> int:
    """In how many bits hashes of pictures that are taken to look alike differ at most, among pictures like those known.

    That is ``MOST_APART``, or fewer where more than one in fifty of the known pictures looks like another of them, as
    digits or portraits of one prompt do; 20 at least, by which pictures saved with loss or resized are still found.
    """
    step = max(1, len(known) // _ASKED)
    asked = range(0, len(known), step)
    nearest: dict[int, int] = {}
    for pair in alike([known[i] for i in asked], known):
        if asked[pair.one] != pair.other and not pair.identical:
            nearest.setdefault(pair.one, pair.apart)
    usual = sorted(nearest.values())[int(_USUAL * len(asked)) :]
    return max(_LEAST_APART, min(usual[0] - 1, MOST_APART)) if usual else MOST_APART


def identical_within(looks: Sequence[Look | None]) -> dict[int, int]:
    """Of each image that is the same as one before it, pixel for pixel, its place and the place of the first."""
    first: dict[str, int] = {}
    places = ((i, first.setdefault(known.pixels, i)) for i, known in enumerate(looks) if known)
    return {i: place for i, place in places if place != i}


def _alike(one: Sequence[Look | None], other: Sequence[Look | None]) -> Iterator[Pair]:
    same: dict[str, list[int]] = {}
    for j, known in enumerate(other):
        if known:
            same.setdefault(known.pixels, []).append(j)
    identical = {(i, j) for i, known in enumerate(one) if known for j in same.get(known.pixels, ())}
    yield from (Pair(i, j, 0, True) for i, j in identical)
    rows, columns = _with_hashes(one), _with_hashes(other)
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        left = _signs([one[i] for i in some])
        for begin in range(0, len(columns), _BLOCK):
            those = columns[begin : begin + _BLOCK]
            apart = _apart(left, _signs([other[j] for j in those]))
            for i, j in zip(*np.nonzero(apart <= MOST_APART), strict=True):
                if (some[i], those[j]) not in identical:
                    yield Pair(some[i], those[j], int(apart[i, j]), False)


def _with_hashes(looks: Sequence[Look | None]) -> list[int]:
    return [i for i, known in enumerate(looks) if known and known.hashes]


def _signs(looks: Sequence[Look | None]) -> np.ndarray:
    """The bits of the hashes as 1 and -1, float32 ``(2, n, BITS)``: their products count the bits that agree."""
    packed = np.frombuffer(b"".join(known.hashes for known in looks if known), np.uint8)
    bits = np.unpackbits(packed).reshape(len(looks), 2, BITS).swapaxes(0, 1)
    return np.where(bits, np.float32(1), np.float32(-1))


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Bits in which the most similar hashes of two images differ, ``(n, m)``; one of the two may be mirrored."""
    closest = np.full((one.shape[1], other.shape[1]), -BITS, np.float32)
    for some in (one, one * _MIRROR):
        for mine, theirs in _COMPARED:
            np.maximum(closest, some[mine] @ other[theirs].T, out=closest)
    return ((BITS - closest) / 2).astype(np.int64)
