"""Shared pieces: images of made-up sources, models whose truth is known, and a small one cut from the shipped."""

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from benchmarks import golden
from genprint import shipped as shipped_models
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.processing import Processing
from genprint.model import Model
from genprint.scoring.plda import PLDA

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


def textured(rng: np.random.Generator, n: int, side: int = 32, grain: float = 20.0) -> np.ndarray:
    """Smooth colour fields with grain: images of a made-up source."""
    fields = rng.normal(128, 40, (n, 1, 1, 3)) + rng.normal(0, grain, (n, side, side, 3))
    return fields.clip(0, 255).astype(np.uint8)


def pictures(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    """With detail at all frequencies, as of photographs, and smoother colours; nothing cut off; 264 x 232 px."""
    made = []
    for _ in range(n):
        small = Image.fromarray(textured(rng, 1, side=132, grain=9.0)[0])
        colours = np.asarray(small.resize((264, 232))).astype(float)
        light = colours.mean(2, keepdims=True)
        grain = rng.normal(0, 2, light.shape)
        pixels = 128 + 2 * (light - light.mean()) + 0.6 * (colours - light) + grain
        made.append(pixels.clip(4, 250).round().astype(np.uint8))
    return made


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The bytes of an image's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b""))
    )


class Given(Fingerprinter):
    """Of features that are given. A set's vector is their mean at unit length."""

    method = "given"

    def _features(self, images):
        raise NotImplementedError

    def _vector(self, mean, variance):
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


@dataclass(frozen=True)
class Named(Processing):
    """A processing that only has a name: features after it are given."""

    word: str

    @property
    def name(self):
        return self.word

    def __call__(self, images):
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class GivenOriginals:
    """Originals of which the features after processings are given; any other processing leaves them as they are."""

    digests: tuple[str, ...]
    plain: np.ndarray
    after: Mapping[Processing, np.ndarray]
    #: what was asked for, and of which images
    asked: list[tuple[Processing, tuple[str, ...]]] = field(default_factory=list)
    sides: tuple[int, ...] = ()

    def under(self, processing, digests, progress=None):
        self.asked.append((processing, tuple(digests)))
        values = self.after.get(processing, self.plain)
        found = [values[self.digests.index(digest)] for digest in digests]
        if progress:
            progress(len(found))
        return given(found, digests=tuple(digests))

    def read(self, digests):
        return iter(())


def given(
    values,
    source: str = "given",
    digests: tuple[str, ...] | None = None,
    conditions: Mapping[Processing, np.ndarray] | None = None,
    **more,
) -> Fingerprint:
    """The fingerprint of a set whose features are given ``(n, d)``; with conditions, it has originals."""
    values = np.asarray(values, np.float32)
    digests = digests or tuple(hashlib.sha256(row.tobytes()).hexdigest() for row in values)
    if conditions is not None:
        after = {processing: np.asarray(own, np.float32) for processing, own in conditions.items()}
        more["originals"] = (GivenOriginals(digests, values, after),)
    return Fingerprint(source, values, digests, Given().extractor_id, **more)


def drawn_digests(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Digests of so many images, as they are drawn."""
    return tuple(f"{rng.integers(2**60):x}" for _ in range(count))


def model_of_sources(between: np.ndarray, prior_images: float = 600) -> Model:
    """A model of features that are given: sources vary like this ``(d, d)``, images of one with the identity."""
    size = len(between)
    return Model(Given(), PLDA(np.zeros(size), np.eye(size)[None], between[None], prior_images))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, rng):
    """ImageFolder layout: three sources with different grain, 24 PNG files each."""
    root = tmp_path / "data"
    for name, grain in (("fine", 4.0), ("middle", 16.0), ("coarse", 60.0)):
        (root / name).mkdir(parents=True)
        for i, pixels in enumerate(textured(rng, 24, grain=grain)):
            Image.fromarray(pixels).save(root / name / f"{i:03d}.png")
    return root


@pytest.fixture(scope="session")
def shipped() -> Model:
    """The model that comes with the package. Whole answers of its take many seconds."""
    return Model.load()


@pytest.fixture(scope="session")
def golden_images() -> dict[str, np.ndarray]:
    """Forty images of each of nine shipped generators."""
    with np.load(golden.IMAGES) as file:
        return {name: file[name] for name in golden.SOURCES}


@pytest.fixture(scope="session")
def small_model_folder(tmp_path_factory, request) -> Path:
    """Where the small model is saved, as ``GENPRINT_MODEL`` would name it; made once for all processes of a run."""
    root = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        root = root.parent
    saved = root / "small-model"
    with FileLock(root / "small-model.lock"):
        if not (saved / "config.json").exists():
            images = request.getfixturevalue("golden_images")
            golden.small_model(request.getfixturevalue("shipped"), images).save(saved)
    return saved


@pytest.fixture(scope="session")
def small_model(small_model_folder) -> Model:
    """The shipped model cut to the first 48 discriminants of each tower: answers in a fraction of the time."""
    return Model.load(small_model_folder)


@pytest.fixture
def both_shipped(small_model_folder, tmp_path_factory, monkeypatch) -> None:
    """In place of the shipped models: the small one for thumbnails, and the same with fewer tiles for pictures."""
    pictures = tmp_path_factory.mktemp("models") / "pictures"
    model = Model.load(small_model_folder)
    model.fingerprinter.set_params(tiles=2)
    model.save(pictures)
    monkeypatch.setitem(shipped_models.FOLDERS, "thumbnails", small_model_folder)
    monkeypatch.setitem(shipped_models.FOLDERS, "pictures", pictures)
    monkeypatch.delenv("GENPRINT_MODEL", raising=False)


class Told:
    """What a progress was told: how many images are to come, and how many were done."""

    def __init__(self):
        self.expected, self.done = [], []

    def __call__(self, images):
        self.done.append(images)

    def expect(self, images):
        self.expected.append(images)


#: Of ``jpeg_case``: its sources, how many images of each are known and asked, and how the probes were saved.
JPEG_SOURCES, JPEG_IMAGES, JPEG_QUALITY = ("vae-conv-s1", "gan-dcgan-s1", "flow-wavelet-s0", "score-ddim-s0"), 16, 60


@pytest.fixture(scope="session")
def jpeg_case(tmp_path_factory, golden_images) -> Path:
    """Lossless images of four generators in ``known``, and others of each in ``probes``, saved as JPEG."""
    root = tmp_path_factory.mktemp("jpeg")
    for name in JPEG_SOURCES:
        known, probe = root / "known" / name, root / "probes" / name
        for folder in (known, probe):
            folder.mkdir(parents=True)
        for i, pixels in enumerate(golden_images[name][:JPEG_IMAGES]):
            Image.fromarray(pixels).save(known / f"{i:02d}.png")
        for i, pixels in enumerate(golden_images[name][20 : 20 + JPEG_IMAGES]):
            Image.fromarray(pixels).save(probe / f"{i:02d}.jpg", quality=JPEG_QUALITY)
    return root
