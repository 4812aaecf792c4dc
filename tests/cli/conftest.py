"""Commands go by the small model, where a test does not ask for the shipped one."""

import pytest

from tests.fingerprints.test_bulk import pile
from tests.images.test_manifest import signer

__all__ = ["pile", "signer"]


@pytest.fixture(autouse=True)
def _small(small_model_folder, monkeypatch):
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))


@pytest.fixture
def with_shipped(monkeypatch):
    monkeypatch.delenv("GENPRINT_MODEL", raising=False)
