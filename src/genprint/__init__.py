"""Genprint: which generative model made a set of images, and which models are related.

An image set maps to a fingerprint; everything else compares fingerprints.

Example:
    >>> import genprint
    >>> gallery = genprint.load().enroll("models/", save="gallery.sqlite")  # doctest: +SKIP
    >>> print(gallery.attribute("suspicious/").verdict)  # doctest: +SKIP

The names below are public; so are the packages ``images``, ``scoring``, ``gallery``, ``evaluation`` and ``generators``
with what they export. Other paths may change from one version to the next.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genprint._version import __version__

# Public names are imported when first used, so that `genprint --help` need not wait for torch.
_HOME = {
    "attribute": "genprint.api",
    "audit": "genprint.api",
    "families": "genprint.api",
    "lineage": "genprint.api",
    "load": "genprint.api",
    "mixture": "genprint.api",
    "open": "genprint.api",
    "sort": "genprint.api",
    "structure": "genprint.api",
    "verify": "genprint.api",
    "Gallery": "genprint.api",
    "CONDITIONS": "genprint.fingerprints.conditions",
    "FamilyTree": "genprint.answers.families",
    "Fingerprint": "genprint.fingerprints.fingerprint",
    "Fingerprinter": "genprint.fingerprints.fingerprinter",
    "Identifier": "genprint.answers.attribution",
    "ImageSet": "genprint.images.sets",
    "Model": "genprint.api",
    "SetEncoder": "genprint.encoder.encoder",
    "read_sources": "genprint.images.known",
}
__all__ = [
    "CONDITIONS",
    "FamilyTree",
    "Fingerprint",
    "Fingerprinter",
    "Gallery",
    "Identifier",
    "ImageSet",
    "Model",
    "SetEncoder",
    "__version__",
    "attribute",
    "audit",
    "families",
    "lineage",
    "load",
    "mixture",
    "open",
    "read_sources",
    "sort",
    "structure",
    "verify",
]

if TYPE_CHECKING:
    from genprint.answers.attribution import Identifier
    from genprint.answers.families import FamilyTree
    from genprint.api import (
        Gallery,
        Model,
        attribute,
        audit,
        families,
        lineage,
        load,
        mixture,
        open,
        sort,
        structure,
        verify,
    )
    from genprint.encoder.encoder import SetEncoder
    from genprint.fingerprints.conditions import CONDITIONS
    from genprint.fingerprints.fingerprint import Fingerprint
    from genprint.fingerprints.fingerprinter import Fingerprinter
    from genprint.images.known import read_sources
    from genprint.images.sets import ImageSet


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name == "HISTORIES":  # before 0.2
        return getattr(import_module("genprint.histories"), name)
    raise AttributeError(f"module 'genprint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
