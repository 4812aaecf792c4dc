"""Genprint: which generative model made a set of images, and which models are related.

An image set maps to a fingerprint; everything else compares fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public names are imported when first used, so that `genprint --help` need not wait for torch.
_HOME = {
    "ImageSet": "genprint.images.sets",
    "read_sources": "genprint.images.sets",
    "Fingerprint": "genprint.fingerprints.fingerprint",
    "Fingerprinter": "genprint.fingerprints.fingerprint",
    "SetEncoder": "genprint.encoder.encoder",
    "Gallery": "genprint.gallery.store",
    "HISTORIES": "genprint.scoring.conditions",
    "Identifier": "genprint.answers.attribution",
    "verify": "genprint.answers.attribution",
    "FamilyTree": "genprint.answers.families",
}
__all__ = [
    "HISTORIES",
    "FamilyTree",
    "Fingerprint",
    "Fingerprinter",
    "Gallery",
    "Identifier",
    "ImageSet",
    "SetEncoder",
    "read_sources",
    "verify",
]

if TYPE_CHECKING:
    from genprint.answers.attribution import Identifier, verify
    from genprint.answers.families import FamilyTree
    from genprint.encoder.encoder import SetEncoder
    from genprint.fingerprints.fingerprint import Fingerprint, Fingerprinter
    from genprint.gallery.store import Gallery
    from genprint.images.sets import ImageSet, read_sources
    from genprint.scoring.conditions import HISTORIES


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genprint' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
