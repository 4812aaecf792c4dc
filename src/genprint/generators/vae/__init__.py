"""Variational auto-encoders: what they share, and one file an architecture."""
