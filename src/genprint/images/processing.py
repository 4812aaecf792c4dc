"""Processing: what happens to images after generation. Saving as JPEG, cropping, blurring and the like.

Every processing is a frozen value with a name: two that are equal do the same, and all can be pickled.

Example:
    >>> Chain((Shift(1, 1), Jpeg(82))).name
    'shift 1,1, JPEG 82'
    >>> Jpeg(90) == Jpeg(90, "4:2:0"), Jpeg(90) == Jpeg(90, "4:4:4")
    (True, False)
"""

from __future__ import annotations

import io
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from genprint.images.headers import Tables, usual_webp_quality, webp_quantiser


class Processing(ABC):
    """An operation on images. Called with uint8 ``(n, h, w, 3)``, it returns as many, perhaps smaller ones."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it does, in a word or two; galleries and reports keep it."""

    @abstractmethod
    def __call__(self, images: np.ndarray) -> np.ndarray: ...


class _OneByOne(Processing):
    """A processing of single Pillow images."""

    @abstractmethod
    def _apply(self, image: Image.Image) -> Image.Image | np.ndarray: ...

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(self._apply(Image.fromarray(pixels))) for pixels in images])


@dataclass(frozen=True)
class Jpeg(_OneByOne):
    """Saved as JPEG by Pillow and read again.

    Attributes:
        quality: of libjpeg's scale; where there are tables, the nearest.
        subsampling: of chroma.
        tables: of quantisation, in natural order, where they are not those of the quality.
    """

    quality: int
    subsampling: str = "4:2:0"
    tables: Tables = ()

    @property
    def name(self) -> str:
        tables = " (other tables)" if self.tables else ""
        return f"JPEG {self.quality}{tables}" + ("" if self.subsampling == "4:2:0" else f" {self.subsampling}")

    def encode(self, image: Image.Image) -> bytes:
        """The file."""
        buffer = io.BytesIO()
        how: dict[str, Any] = {"qtables": list(map(list, self.tables))} if self.tables else {"quality": self.quality}
        image.save(buffer, "JPEG", subsampling=self.subsampling, **how)
        return buffer.getvalue()

    def _apply(self, image: Image.Image) -> Image.Image:
        return Image.open(io.BytesIO(self.encode(image))).convert("RGB")


@dataclass(frozen=True)
class WebP(_OneByOne):
    """Saved as lossy WebP by Pillow with a base quantiser of 0 to 127, or the nearest there is, and read again.

    At one quality, libwebp quantises images differently, and the quality is in no header.
    """

    quantiser: int

    @property
    def name(self) -> str:
        return f"WebP {usual_webp_quality(self.quantiser)}"

    def encode(self, image: Image.Image) -> bytes:
        """The file."""
        quality, tried = usual_webp_quality(self.quantiser), dict[int, tuple[int, bytes]]()
        while 0 <= quality <= 100 and quality not in tried:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality)
            off = (webp_quantiser(buffer.getvalue()) or 0) - self.quantiser
            tried[quality] = abs(off), buffer.getvalue()
            quality += int(np.sign(off))
        return min(tried.values())[1]

    def _apply(self, image: Image.Image) -> Image.Image:
        return Image.open(io.BytesIO(self.encode(image))).convert("RGB")


@dataclass(frozen=True)
class Scale(_OneByOne):
    """Resized to a share of the side, bicubic, and left so."""

    share: float

    @property
    def name(self) -> str:
        return f"scale {100 * self.share:g} %"

    def _apply(self, image: Image.Image) -> Image.Image:
        width, height = (max(1, round(self.share * side)) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Blur(_OneByOne):
    """Gaussian blur, ``sigma`` in pixels."""

    sigma: float

    @property
    def name(self) -> str:
        return f"blur {self.sigma:g}"

    def _apply(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(self.sigma))


@dataclass(frozen=True)
class Resize(_OneByOne):
    """Shrunk to a share of the side and enlarged again, bicubic both ways."""

    share: float

    @property
    def name(self) -> str:
        return f"resize {100 * self.share:g} %"

    def _apply(self, image: Image.Image) -> Image.Image:
        return Scale(self.share)._apply(image).resize(image.size, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Noise(_OneByOne):
    """White Gaussian noise, its standard deviation in pixel levels. It follows from an image's content and the seed."""

    levels: float
    seed: int = 0

    @property
    def name(self) -> str:
        return f"noise {self.levels:g}" + (f" seed {self.seed}" if self.seed else "")

    def _apply(self, image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image)
        grain = np.random.default_rng([self.seed, zlib.crc32(pixels.tobytes())]).normal(0, self.levels, pixels.shape)
        return (pixels + grain).round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Grey(_OneByOne):
    """Without colours: all channels are the luminance."""

    @property
    def name(self) -> str:
        return "grey"

    def _apply(self, image: Image.Image) -> Image.Image:
        return image.convert("L").convert("RGB")


@dataclass(frozen=True)
class Crop(Processing):
    """Cropped by a margin, in pixels, on every side."""

    margin: int

    @property
    def name(self) -> str:
        return f"crop {self.margin}"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        return images[:, self.margin : height - self.margin, self.margin : width - self.margin]


@dataclass(frozen=True)
class Shift(Processing):
    """Without the first rows and columns: by an odd number, what lay at even places comes to lie at odd ones."""

    down: int
    right: int

    @property
    def name(self) -> str:
        return f"shift {self.down},{self.right}"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return images[:, self.down :, self.right :]


@dataclass(frozen=True)
class Chain(Processing):
    """One processing after another; none at all leaves images as they are."""

    steps: tuple[Processing, ...]

    @property
    def name(self) -> str:
        return ", ".join(step.name for step in self.steps)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        for step in self.steps:
            images = step(images)
        return images
