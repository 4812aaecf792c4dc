"""``python -m genprint`` is the command ``genprint``."""

from genprint.cli import main

main()
