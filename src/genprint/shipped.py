"""The shipped models: their names, and which of them suits images where nobody names a model."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median

from genprint.encoder.encoder import SHIPPED, SHIPPED_PICTURES
from genprint.images.decoding import THUMBNAIL_SIDE
from genprint.images.sets import ImageSet, ImageSetError
from genprint.storage.weights import CONFIG, WeightsError

THUMBNAILS, PICTURES = "thumbnails", "pictures"
#: Where each of them lies, by name.
FOLDERS = {THUMBNAILS: SHIPPED, PICTURES: SHIPPED_PICTURES}
#: What a name may begin with, so that it cannot be taken for a folder; origins of shipped models do.
PREFIX = "shipped:"
_LOOKED_AT = 8  # images of a set whose sizes are looked at


def named(place: str | Path) -> str | None:
    """The name of the shipped model that is meant; None where it is a folder, or on a hub.

    A plain name means the shipped model, a path (``./pictures``, or any ``Path``) a folder. Where a saved model lies in
    a folder of that name, the plain name is refused: it may mean either.

    Raises:
        WeightsError: no shipped model has that name, or it may mean a folder, too.
    """
    if isinstance(place, Path):
        return None
    name = place.removeprefix(PREFIX)
    if name in FOLDERS:
        if name == place and (Path(name) / CONFIG).exists():
            raise WeightsError(
                f"{name}: a shipped model, and a saved one in a folder here; say {PREFIX}{name} or ./{name}"
            )
        return name
    if name != place or (name.isidentifier() and not Path(name).exists()):
        raise WeightsError(f"{place}: no shipped model ({', '.join(FOLDERS)}), and no such file or folder")
    return None


def suited(sets: Iterable[ImageSet]) -> str:
    """The name of the shipped model for image sets: pictures, if the images of every set are typically above 64 px.

    Typical is the median of the longer side, of the first few images of a set. Headers are read, no pixels.
    """
    seen = False
    for images in sets:
        side = _side(images)
        if side is not None and side <= THUMBNAIL_SIDE:
            return THUMBNAILS
        seen = seen or side is not None
    return PICTURES if seen else THUMBNAILS


def too_small(model: str | None, sets: Iterable[ImageSet]) -> list[str]:
    """Names of the sets that the model of that name tells apart worse than the one for thumbnails would."""
    if model != PICTURES:
        return []
    return [images.name for images in sets if (_side(images) or THUMBNAIL_SIDE + 1) <= THUMBNAIL_SIDE]


def _side(images: ImageSet) -> float | None:
    """Median of the longer side of a set's first images; None if none is usable, which whoever reads them is told."""
    with suppress(ImageSetError):
        if sides := [max(size) for size in islice(images.sizes(), _LOOKED_AT)]:
            return float(median(sides))
    return None
