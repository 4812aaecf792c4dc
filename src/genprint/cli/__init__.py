"""The command line. Results go to stdout, progress and messages to stderr."""

from genprint.cli.app import app, main

__all__ = ["app", "main"]
