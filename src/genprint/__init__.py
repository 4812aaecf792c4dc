"""Genprint: which generative model made a set of images, and which models are related.

An image set maps to a fingerprint; everything else compares fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public names are imported when first used, so that `genprint --help` need not wait for torch.
_HOME = {
    "ImageSet": "genprint.images",
    "read_sources": "genprint.images",
    "Fingerprint": "genprint.fingerprint",
    "Fingerprinter": "genprint.fingerprint",
    "SetEncoder": "genprint.methods.set_encoder.encoder",
    "Gallery": "genprint.gallery",
    "HISTORIES": "genprint.histories",
    "Identifier": "genprint.attribution",
    "verify": "genprint.attribution",
    "FamilyTree": "genprint.families",
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
    from genprint.attribution import Identifier, verify
    from genprint.families import FamilyTree
    from genprint.fingerprint import Fingerprint, Fingerprinter
    from genprint.gallery import Gallery
    from genprint.histories import HISTORIES
    from genprint.images import ImageSet, read_sources
    from genprint.methods.set_encoder.encoder import SetEncoder


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genprint' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
