"""Image sets: reading, decoding, processing."""

from genprint.images.decoding import Image
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet, ImageSetError, LeftOut

__all__ = ["Image", "ImageSet", "ImageSetError", "LeftOut", "read_sources"]
