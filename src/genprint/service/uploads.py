"""From uploaded files to image sets: within limits, by content, never through a path."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence

from PIL import Image as Pillow

from genprint.images.decoding import open_image
from genprint.images.members import Contents
from genprint.images.sets import ImageSet
from genprint.service.settings import Limits
from genprint.words import counted

_ZIP = b"PK\x03\x04"


class TooMuch(ValueError):
    """An upload is over a limit; the message says which."""


class Unreadable(ValueError):
    """An upload cannot be read at all."""


def image_set(name: str, files: Sequence[tuple[str, bytes]], limits: Limits) -> ImageSet:
    """The images of uploaded files; a zip gives all in it, whatever it is called.

    Raises:
        TooMuch: over a limit.
        Unreadable: a damaged zip.
    """
    members: list[tuple[str, bytes]] = []
    unpacked = pixels = 0
    for file, content in files:
        for member, data in _unzipped(file, content, limits) if content.startswith(_ZIP) else [(file, content)]:
            members.append((member, data))
            unpacked += len(data)
            if len(members) > limits.images:
                raise TooMuch(f"more than {counted(limits.images, 'file')}")
            if unpacked > limits.unpacked:
                raise TooMuch(f"more than {limits.unpacked >> 20} MiB unpacked")
            pixels += _pixels(member, data, limits)
            if pixels > limits.all_pixels:
                raise TooMuch(f"more than {limits.all_pixels >> 20} million pixels in all")
    names, contents = tuple(member for member, _ in members), [data for _, data in members]
    return ImageSet(name, Contents(name, contents, names), name)


def _unzipped(file: str, content: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            # Other methods unpack a member whole before anybody can stop them.
            if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
                raise Unreadable(f"{file}: only stored and deflated members are read")
            if sum(info.file_size for info in infos) > limits.unpacked:
                raise TooMuch(f"{file}: more than {limits.unpacked >> 20} MiB unpacked")
            if len(infos) > limits.images:
                raise TooMuch(f"{file}: more than {counted(limits.images, 'file')}")
            for info in infos:
                with archive.open(info) as member:
                    yield info.filename, member.read(info.file_size)
    except (TooMuch, Unreadable):
        raise
    except Exception as error:  # damaged archives raise whatever their codec raises
        raise Unreadable(f"{file}: cannot be unpacked: {error}") from None


def _pixels(name: str, data: bytes, limits: Limits) -> int:
    """How many an image has, by its header alone; what is no image is left out later, with its reason."""
    try:
        with open_image(data) as image:
            width, height = image.size
    except Pillow.DecompressionBombError:
        width = height = limits.pixels
    except Exception:
        return 0
    if width * height > limits.pixels:
        raise TooMuch(f"{name}: more than {limits.pixels >> 20} million pixels")
    return width * height
