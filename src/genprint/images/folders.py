"""Image sets as folders on disk, a sub-folder each, as ``read_sources`` reads them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path

from PIL import Image as Pillow

from genprint.images.archives import ArchiveError
from genprint.images.decoding import Content, decode
from genprint.images.members import ArraysError
from genprint.images.sets import ImageSet, ImageSetError
from genprint.storage.files import digest as digest_of

_LONGEST = 200  # bytes of a file's name; file systems take 255
_APART = '/\\:*?"<>|'  # what parts folders, or is no part of names on some systems


def check_empty(folder: Path, images: ImageSet) -> None:
    """Makes a folder for what is to be written after long work.

    Raises:
        ValueError: it is not empty, or lies among the images themselves.
        OSError: it cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: not an empty folder; nothing is written into one that holds something")
    pile = Path(images.origin)
    if images.files and pile.is_dir() and folder.resolve().is_relative_to(pile.resolve()):
        raise ValueError(f"{folder}: lies in {pile}, and would be among its images the next time; give another place")
    folder.mkdir(parents=True, exist_ok=True)


def write_sources(
    images: ImageSet,
    sources: Mapping[str, Iterable[tuple[str, str]]],
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Path]:
    """Writes images into a sub-folder for each source, and says which.

    A file is linked (a hard link: one file under two names) or, where that cannot be, copied; a member of an archive is
    written as it is, an array as PNG. What was there stays untouched. Of names, what could lead elsewhere, hide a file
    or act in a terminal is replaced; a number tells those apart that would be the same then.

    Args:
        images: that hold all of them.
        sources: of each source, its images: name and SHA-256.
        folder: an empty one.
        progress: called with the number of images written since its last call.

    Raises:
        ImageSetError: the archive cannot be read any more.
        Unusable: an image cannot be read any more.
        OSError: a file cannot be written.
    """
    taken: set[str] = set()
    places = {source: _free(folder, source, taken) for source in sources}
    # By name, and by digest too: in an archive, a name may occur twice.
    wanted: dict[str, dict[str, Path]] = {}
    for source, place in places.items():
        place.mkdir()
        for name, sha256 in sources[source]:
            wanted.setdefault(name, {})[sha256] = place
    files = {str(path): path for path in images.files}
    try:
        for name, read in images.only(wanted).members:
            content = files[name] if name in files else read()
            digest = digest_of(content) if isinstance(content, bytes) else next(iter(wanted[name]), "")
            if where := wanted[name].pop(digest, None):
                _write(content, name, where, taken)
                if progress:
                    progress(1)
    except (ArchiveError, ArraysError) as error:
        raise ImageSetError(str(error)) from None
    return places


def _write(content: Path | Content, name: str, place: Path, taken: set[str]) -> None:
    """One image: a file is linked or copied, a file's bytes are written, and pixels as PNG."""
    name = name.rpartition("/")[2]
    if isinstance(content, Path):
        target = _free(place, name, taken)
        try:
            os.link(content.resolve(), target)
        except OSError:  # another file system, or one without links
            shutil.copy2(content, target)
    elif isinstance(content, bytes):
        _free(place, name, taken).write_bytes(content)
    else:
        Pillow.fromarray(decode(name, content).pixels).save(_free(place, f"{name}.png", taken))


def _free(folder: Path, name: str, taken: set[str]) -> Path:
    """A path in a folder that nothing else has, in whatever case it is written; from now on it is taken."""
    safe = "".join(one if one.isprintable() and one not in _APART else "_" for one in name).strip(" .")
    stem, ending = os.path.splitext(safe or "_")
    stem = stem.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    for number in count(1):
        path = folder / (stem + (f" ({number})" if number > 1 else "") + ending[:20])
        if (key := str(path).casefold()) not in taken:
            break
    taken.add(key)
    return path
