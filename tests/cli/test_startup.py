"""Commands that need no model do not wait for one, nor for what it is made of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import genprint
from genprint.baselines.content import ColourQuantiles
from genprint.gallery.store import GalleryStore
from genprint.images.sets import ImageSet
from genprint.model import Model
from tests.conftest import textured

_RUN = """
import sys
from genprint.cli.app import main

try:
    main()
finally:
    print(*sorted({"torch", "sklearn", "scipy", "matplotlib", "diffusers"} & set(sys.modules)), file=sys.stderr)
"""

COMMANDS = {
    "--version": (["--version"], 0),
    "--help": (["--help"], 0),
    "sources": (["sources", "-g", "g.sqlite"], 0),
    "remove": (["remove", "a", "-g", "g.sqlite"], 0),
    "report check-log": (["report", "check-log", "log.jsonl"], 0),
    "a mistyped gallery of attribute": (["attribute", "images", "-g", "none.sqlite"], 1),
    "a mistyped gallery of verify": (["verify", "images", "images", "-g", "none.sqlite"], 2),
    "a mistyped gallery of mixture": (["mixture", "images", "-g", "none.sqlite"], 1),
    "a mistyped gallery of families": (["families", "-g", "none.sqlite"], 1),
    "a mistyped gallery of sources": (["sources", "-g", "none.sqlite"], 1),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_what_needs_no_model_imports_none(tmp_path, rng, case):
    arguments, code = COMMANDS[case]
    model = Model(ColourQuantiles())
    GalleryStore(tmp_path / "g.sqlite", model).add("a", model.fingerprint(ImageSet.of(textured(rng, 2))))
    (tmp_path / "log.jsonl").write_text("")
    (tmp_path / "images").mkdir()
    path = os.pathsep.join([str(Path(genprint.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1] == "", done.stderr  # nothing of all that was imported
    if code == 1:
        assert "none.sqlite: no such file" in done.stderr
