"""Moved: see ``genprint._moved``."""

from genprint._moved import moved

__getattr__ = moved(
    __name__,
    SetEncoder="genprint.encoder.encoder",
)
