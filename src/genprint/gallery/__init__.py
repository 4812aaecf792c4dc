"""Galleries: enrolled sources on disk, search among them, and what is worked out from them."""

from genprint._moved import moved
from genprint.gallery.index import Index
from genprint.gallery.store import GalleryError, GalleryStore, NotEnough

__all__ = ["GalleryError", "GalleryStore", "Index", "NotEnough"]
__getattr__ = moved(__name__, Gallery="genprint.api", Enrolled="genprint.gallery.enrolled")
