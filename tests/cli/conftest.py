"""Commands go by the small model, where a test does not ask for the shipped one."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.cli import app
from tests.conftest import textured
from tests.fingerprints.test_bulk import pile
from tests.images.test_manifest import authority, signer, trust

__all__ = ["authority", "pile", "signer", "trust"]


@pytest.fixture(autouse=True)
def _small(small_model_folder, monkeypatch):
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))


@pytest.fixture
def with_shipped(monkeypatch):
    monkeypatch.delenv("GENPRINT_MODEL", raising=False)


def run(*arguments, code: int | None = 0):
    """What a command printed, and that it ended with that exit code; None: with any answer."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code in ((0, 3, 4) if code is None else (code,)), result.output + repr(result.exception)
    return result


def write_sources(root, rng, sources: int = 6, images: int = 30):
    """Sources s0, s1, ... of ever more grain, in a sub-folder each."""
    for i in range(sources):
        (root / f"s{i}").mkdir(parents=True)
        for j, pixels in enumerate(textured(rng, images, grain=3.0 * 1.8**i)):
            Image.fromarray(pixels).save(root / f"s{i}" / f"{j}.png")
    return root


@pytest.fixture
def data(tmp_path, rng):
    """Six sources."""
    return write_sources(tmp_path / "sources", rng)


@pytest.fixture
def probe(tmp_path, rng, data):
    """A dozen images like those of s2."""
    (tmp_path / "probe").mkdir()
    for j, pixels in enumerate(textured(rng, 12, grain=3.0 * 1.8**2)):
        Image.fromarray(pixels).save(tmp_path / "probe" / f"{j}.png")
    return tmp_path / "probe"
