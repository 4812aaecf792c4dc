"""The crossed test bed as the page of pictures reads it: FOLDER/<pipeline>/<source>/<photograph>, of benchmarks/testbed.py.

Photographs are divided, not images: those that are enrolled and those that are asked are the same for all sources and
pipelines, and no photograph is on both sides. Every method sees the same divisions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import commit
from kept import Kept
from verification import remembered

from genprint.evaluation.attributability import named
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer, Comparer

SIZES, LOSSLESS, MATCHED = (1, 5, 10), "png", "set_encoder_matched"
#: The model for thumbnails, which larger images were compared by before there was one for pictures.
BEFORE = "thumbnails"

# What findings depend on beside the setting.
_CODE = (
    "src/genprint", "benchmarks/bed.py", "benchmarks/picture_sections.py", "benchmarks/picture_answers.py",
    "benchmarks/picture_equal.py",
)  # fmt: skip

# of each source, of each pipeline; rows are the photographs that all of them have, in one order
Read = Mapping[str, Mapping[str, Fingerprint]]
# by pipeline of the gallery, pipeline of the probes and number of images: each source's share of probes named right
Rates = dict[str, dict[str, dict[str, list[float]]]]


@dataclass(frozen=True)
class Setting:
    """What is asked of the bed. What was found before counts for the same setting only."""

    pipelines: tuple[str, ...]
    sources: tuple[str, ...]
    photographs: tuple[str, ...] = field(repr=False)
    enrolled: int
    repeats: int
    seed: int
    tiles: int | None


@dataclass(frozen=True)
class Bed:
    """The bed, what is asked of it, and what was found.

    Attributes:
        folder: with a folder of each pipeline.
        setting: what is asked.
        model: whose tiles are those of the setting.
        cache: keeps features.
        kept: keeps what was found.
    """

    folder: Path
    setting: Setting
    model: Model
    cache: Cache
    kept: Kept

    def find(self, name: str, make: Callable[[], Any], **more: object) -> Any:
        """What was found under a name for this setting, or is made now and kept."""
        asked = {"commit": commit(of=_CODE), "model": self.model.identity, **asdict(self.setting), **more}
        return self.kept.get(name, asked, make)

    def read(self, front: Fingerprinter, pipelines: Sequence[str] | None = None) -> Read:
        """Fingerprints of all the images by one method.

        Raises:
            SystemExit: an image could not be used; rows would no longer be photographs.
        """
        bed: dict[str, dict[str, Fingerprint]] = {}
        start, sources, among = time.monotonic(), self.setting.sources, pipelines or self.setting.pipelines
        for i, source in enumerate(sources, 1):
            bed[source] = {}
            for pipeline in among:
                images = self.images(source, pipeline)
                found = front.extract(images, cache=self.cache)
                if found.left_out:
                    raise SystemExit(f"{self.folder / pipeline / source}: {found.left_out[0]}")
                bed[source][pipeline] = remembered(found)
            print(
                f"{front.method}: {i} of {len(sources)} sources read, {time.monotonic() - start:.0f} s",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        return bed

    def images(self, source: str, pipeline: str) -> ImageSet:
        """The photographs by a source, as a pipeline left them."""
        files = {path.stem: path for path in (self.folder / pipeline / source).iterdir()}
        return ImageSet.from_files([files[name] for name in self.setting.photographs], source)

    def rates(self, method: str) -> Rates:
        """Top-1 of a method of the registry."""

        def make() -> Rates:
            every = [self.images(*one) for one in product(self.setting.sources, self.setting.pipelines)]
            front, comparer = reader_of(method, self.model, every)
            return rates(self.read(front), comparer, self.setting)

        found: Rates = self.find(f"top-1 of {method}", make)
        return found


def photographs(folder: Path, pipelines: Sequence[str], sources: Sequence[str], limit: int | None) -> tuple[str, ...]:
    """Names that every source has in every pipeline, in order, and the first ``limit`` of them."""
    folders = [folder / pipeline / source for pipeline in pipelines for source in sources]
    shared = set.intersection(*({path.stem for path in own.iterdir() if path.suffix != ".part"} for own in folders))
    return tuple(sorted(shared)[:limit])


def reader_of(method: str, model: Model, sets: Sequence[ImageSet]) -> tuple[Fingerprinter, Comparer]:
    """What makes fingerprints by a method of all these sets, and what compares them."""
    if method == BEFORE:
        before = Model.load(BEFORE)
        return before.fingerprinter, ByScorer(before.scorer)
    return METHODS[method].reader(model, None, sets), METHODS[method].comparer(model)


def divisions(count: int, enrolled: int, repeats: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photographs to enroll and photographs to ask."""
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(count)
        yield order[:enrolled], order[enrolled:]


def rates(bed: Read, comparer: Comparer, setting: Setting, sizes: Sequence[int] = SIZES) -> Rates:
    """Top-1 of a comparer by the gallery's and the probes' pipeline, where features of both are of one kind."""
    sources, pipelines = list(bed), list(next(iter(bed.values())))
    wide = {pipeline: bed[sources[0]][pipeline].values.shape[1] for pipeline in pipelines}
    hits: dict[tuple[str, str, int], list[np.ndarray]] = {}
    count = len(setting.photographs)
    for known, asked in divisions(count, setting.enrolled, setting.repeats, setting.seed):
        groups = [(size, asked[at : at + size]) for size in sizes for at in range(0, len(asked) - size + 1, size)]
        of_size = np.array([size for size, _ in groups])
        for left in pipelines:
            gallery = [bed[source][left][known] for source in sources]
            # All in one call: scorers are adapted to the gallery, and networks trained on it, at every call.
            like = [right for right in pipelines if wide[right] == wide[left]]
            probes = [bed[source][right][group] for right in like for source in sources for _, group in groups]
            owners = np.tile(np.repeat(np.arange(len(sources)), len(groups)), len(like))
            hit = named(comparer.score(probes, gallery), owners).reshape(len(like), len(sources), len(groups))
            for right, own in zip(like, hit, strict=True):
                for size in np.unique(of_size):
                    hits.setdefault((left, right, int(size)), []).append(own[:, of_size == size].mean(1))
    found: Rates = {}
    for (left, right, size), rows in hits.items():
        found.setdefault(left, {}).setdefault(right, {})[str(size)] = np.mean(rows, axis=0).tolist()
    return found


def quarters(sources: Sequence[str], seed: int) -> dict[str, str]:
    """Each source's quarter, by chance: siblings of what is unknown stay enrolled."""
    order = np.random.default_rng(seed).permutation(len(sources))
    return {sources[place]: str(4 * i // len(sources)) for i, place in enumerate(order)}
