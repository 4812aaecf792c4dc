"""Why a file gives no image: the kind of file it is by its first bytes, what is wrong with it, and what to do."""

from __future__ import annotations

import zlib

from genprint.images.headers import isobmff_kind

_PNG = b"\x89PNG\r\n\x1a\n"
#: Formats that are read, so that a file of theirs that cannot be is damaged.
_READ = {_PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"8BPS": "PSD"}
_CONVERT = "convert it to PNG without resizing it"
#: Formats that are not, and what to do.
_NOT_READ = {
    b"\xff\x0a": ("JPEG XL", _CONVERT),
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": ("JPEG XL", _CONVERT),
    b"II\xbc\x01": ("JPEG XR", _CONVERT),
    b"\x76\x2f\x31\x01": ("OpenEXR", "save it as 8 bits"),
    b"\x00\x00\x01\x00": ("ICO", _CONVERT),
    b"%!PS": ("EPS, a program", _CONVERT),
    b"%PDF": ("PDF", "take the images out of it"),
    b"PK\x03\x04": ("an archive", "give it as a set of its own, or unpack it"),
    b"\x1f\x8b": ("an archive", "give it as a set of its own, or unpack it"),
    b"\x93NUMPY": ("a numpy array", "give it as a set of its own"),
    b"\x1aE\xdf\xa3": ("a video", "take the frames out of it as PNG"),
}
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def damaged(content: bytes, error: str) -> str:
    """Why an image that was begun cannot be decoded.

    Args:
        content: the file.
        error: what the decoder said.
    """
    kind = _kind(content)
    if kind == "PNG" and (fault := _png_fault(content)):
        return f"damaged PNG ({fault}); get the file again"
    return f"damaged {kind}: {error}" if kind else f"damaged: {error}"


def not_read(content: bytes) -> str:
    """Why a file is not even begun: it is damaged, of a format that is not read, or no image."""
    for start, (kind, remedy) in _NOT_READ.items():
        if content.startswith(start):
            return f"not an image that can be read: {kind}; {remedy}"
    if content.startswith(_TIFF):
        return f"not an image that can be read: a damaged TIFF, or a camera's raw file; {_CONVERT}"
    if b"<svg" in content[:1024]:
        return f"not an image that can be read: SVG; {_CONVERT}"
    if _kind(content):
        return damaged(content, "its header cannot be read")
    if content[4:8] == b"ftyp":
        return "not an image that can be read: a video; take the frames out of it as PNG"
    return "not an image"


def _kind(content: bytes) -> str | None:
    """The format that is read, by the first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if kind := isobmff_kind(content):
        return "HEIC" if kind == "HEIF" else kind
    return next((kind for start, kind in _READ.items() if content.startswith(start)), None)


def _png_fault(content: bytes) -> str | None:
    """What is wrong with the chunks of a PNG (ISO/IEC 15948, clause 5.3); None if each is whole."""
    at = len(_PNG)
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(content):
            return "cut off"
        if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return "checksum"
        if content[at + 4 : at + 8] == b"IEND":
            return None
        at = end + 4
    return "cut off"
