"""Image sets: reading, decoding, processing."""

from genprint.images.decoding import Image
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, read_sources

__all__ = ["Image", "ImageSet", "ImageSetError", "LeftOut", "read_sources"]
