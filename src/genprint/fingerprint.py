"""Moved: see ``genprint._moved``."""

from genprint._moved import moved

__getattr__ = moved(
    __name__,
    Fingerprint="genprint.fingerprints.fingerprint",
    Fingerprinter="genprint.fingerprints.fingerprinter",
)
