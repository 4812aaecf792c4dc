"""Moved: see ``genprint._moved``."""

from genprint._moved import moved

__getattr__ = moved(
    __name__,
    smallest_rate="genprint.scoring.thresholds",
    upper_threshold="genprint.scoring.thresholds",
)
