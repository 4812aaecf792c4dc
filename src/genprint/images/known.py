"""Known sources, in whatever form they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genprint.images.sets import ImageSet, ImageSetError, LeftOut, read_sources


def as_sources(sources: Any) -> list[ImageSet]:
    """Image sets of several sources, one each.

    Args:
        sources: a folder, archive or ``.npz`` as for ``read_sources``, image sets, or a mapping from names to images.
    """
    if isinstance(sources, str | Path):
        return read_sources(sources)
    if isinstance(sources, Mapping):
        return [ImageSet.of(images, name) for name, images in sources.items()]
    if isinstance(sources, Iterable):
        sets = list(sources)
        if sets and all(isinstance(images, ImageSet) for images in sets):
            if len({images.name for images in sets}) < len(sets):
                raise ValueError(f"two image sets are named alike: {', '.join(sorted(one.name for one in sets))}")
            return sets
    raise ValueError(
        f"known sources are a folder with a sub-folder for each, image sets, or a mapping from names to images, not "
        f"{type(sources).__name__}"
    )


def usable(sets: Iterable[ImageSet]) -> tuple[list[ImageSet], tuple[LeftOut, ...]]:
    """The sets that have a usable image, and the names of the others with the reason. Each is read up to the first."""
    having, lacking = [], []
    for images in sets:
        try:
            next(iter(images))
            having.append(images)
        except ImageSetError as error:
            lacking.append(LeftOut(images.name, str(error)))
    return having, tuple(lacking)
