"""What happens to images on their way: re-saving, cropping, blurring and the like."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

# uint8 (n, h, w, 3) to as many images, perhaps smaller
Change = Callable[[np.ndarray], np.ndarray]


def _each(change: Callable[[Image.Image], Image.Image | np.ndarray]) -> Change:
    return lambda images: np.stack([np.asarray(change(Image.fromarray(pixels))) for pixels in images])


def jpeg(quality: int, subsampling: str = "4:2:0") -> Change:
    """Saved as JPEG by Pillow and read again."""

    def resave(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
        return Image.open(buffer).convert("RGB")

    return _each(resave)


def blur(sigma: float) -> Change:
    """Gaussian blur."""
    return _each(lambda image: image.filter(ImageFilter.GaussianBlur(sigma)))


def resize(share: float) -> Change:
    """Shrunk to a share of the side and enlarged again, bicubic both ways."""

    def there_and_back(image: Image.Image) -> Image.Image:
        width, height = (max(1, round(share * side)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC)
        return small.resize(image.size, Image.Resampling.BICUBIC)

    return _each(there_and_back)


def noise(levels: float, seed: int = 0) -> Change:
    """White Gaussian noise of that many levels; an image's own, which follows from its content and the seed."""

    def add(image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image)
        grain = np.random.default_rng([seed, zlib.crc32(pixels.tobytes())]).normal(0, levels, pixels.shape)
        return (pixels + grain).round().clip(0, 255).astype(np.uint8)

    return _each(add)


def grey() -> Change:
    """Without colours: all channels are the luminance."""
    return _each(lambda image: image.convert("L").convert("RGB"))


def inner(margin: int) -> Change:
    """Cropped by a margin on every side."""
    return lambda images: images[:, margin:-margin, margin:-margin]


def shift(down: int, right: int) -> Change:
    """Without the first rows and columns: what lies at even places comes to lie at odd ones."""
    return lambda images: images[:, down:, right:]


def chain(*changes: Change) -> Change:
    """One after another."""

    def apply(images: np.ndarray) -> np.ndarray:
        for change in changes:
            images = change(images)
        return images

    return apply
