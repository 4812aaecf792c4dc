"""Attributions and their reports, made once of the small model: nothing here changes them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.cli.app import app
from tests.conftest import textured

GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0, "e": 70.0}


def write(folder, images, suffix="png"):
    folder.mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:03d}.{suffix}")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(autouse=True)
def _small(small_model_folder, monkeypatch):
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))


@pytest.fixture(scope="session")
def world(tmp_path_factory, small_model_folder) -> Path:
    """Five known sources, a probe of c, and the report and the log of asking."""
    root, rng = tmp_path_factory.mktemp("case"), np.random.default_rng(1)
    for name, grain in GRAINS.items():
        write(root / "known" / name, textured(rng, 24, grain=grain))
    write(root / "probe", textured(rng, 10, grain=GRAINS["c"]))
    (root / "probe" / "notes.txt").write_text("no image")
    page = root / "out" / "report.html"
    options = ("--no-conditions", "--model", small_model_folder, "--report", page, "--log", root / "log.jsonl")
    done = run("attribute", root / "probe", "--known", root / "known", *options)
    assert done.exit_code == 0, done.output
    return root
