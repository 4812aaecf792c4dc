"""Normalising flows: steps they share, and one file an architecture."""
