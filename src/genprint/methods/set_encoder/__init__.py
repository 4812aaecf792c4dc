"""Moved: see ``genprint._moved``."""
