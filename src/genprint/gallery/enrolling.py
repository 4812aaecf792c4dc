"""Enrolling: sources are read, and added to what is there of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genprint.fingerprints.cache import Cache, CacheError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, NothingUsable

if TYPE_CHECKING:
    from genprint.fingerprints.fingerprinter import Fingerprinter, Progress


@dataclass(frozen=True)
class Added:
    """What came of enrolling a source.

    Attributes:
        source: its name.
        images: how many were added.
        left_out: what could not be used, and why.
        reason: why the whole source was left out; None if it is enrolled.
    """

    source: str
    images: int
    left_out: tuple[LeftOut, ...]
    reason: str | None = None


@contextmanager
def reading(gallery: Path | None, cache: Cache | None = None) -> Iterator[Cache | None]:
    """What keeps features while sources are read: ``FILE.reading``, which is removed when all went well.

    Args:
        gallery: its file; None: it has none, or needs no such file.
        cache: in place of it, kept.
    """
    if gallery is None:
        yield cache
        return
    import fcntl

    path = gallery.with_name(f"{gallery.name}.reading")
    with ExitStack() as stack:
        made = None
        with suppress(OSError, CacheError):  # another one is enrolling, or nothing can be written: not needed
            fcntl.flock(stack.enter_context(path.open("ab")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            made = Cache(path)
        yield made
        if made:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def read_all(
    fingerprinter: Fingerprinter,
    sets: Sequence[ImageSet],
    strict: bool = False,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Fingerprint], list[Added]]:
    """The fingerprint of each source, by name, and those that were left out, for none of their images can be used.

    Args:
        fingerprinter: that makes features.
        sets: of one source each.
        strict: whether a source that cannot be used is an error.
        cache: of features.
        progress: called with the number of images done since its last call.

    Raises:
        ImageSetError: no source can be used, or, if strict or the only one, one cannot.
    """
    found: dict[str, Fingerprint] = {}
    unusable: list[Added] = []
    for images in sets:
        try:
            found[images.name] = fingerprinter.extract(images, progress, cache=cache, looks=True)
        except ImageSetError as error:
            if strict or len(sets) == 1:
                raise
            left_out = error.left_out if isinstance(error, NothingUsable) else ()
            unusable.append(Added(images.name, 0, left_out, str(error)))
    if not found:
        raise ImageSetError(f"none of {len(sets)} sources can be used; {unusable[0].reason}")
    return found, unusable


def merge(old: Fingerprint | None, new: Fingerprint) -> tuple[Fingerprint | None, int]:
    """What is kept of a source when images are added; images it has already are passed over.

    Returns:
        The fingerprint to keep (None: what is there stays as it is), and how many images it adds.
    """
    if old is None:
        return new, len(new)
    known = set(old.digests)
    fresh = new[[i for i, digest in enumerate(new.digests) if digest not in known]]
    return (old + fresh, len(fresh)) if len(fresh) else (None, 0)
