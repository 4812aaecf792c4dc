"""Models of a hub: from the hub library's cache, pinned, without a network."""

import shutil

import pytest

import genprint
from genprint.storage.hub import folder_of
from genprint.storage.weights import WeightsError

COMMIT = "0" * 39 + "1"


@pytest.fixture
def cached(tmp_path, monkeypatch, small_model_folder):
    """The cache with hf:someone/model at one commit; the network is off."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "cache" / "models--someone--model"
    shutil.copytree(small_model_folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return repository / "snapshots" / COMMIT


def test_a_model_of_a_hub_is_the_one_that_was_saved(cached):
    loaded = genprint.load("hf:someone/model", offline=True)
    assert loaded.identity == genprint.load(cached).identity
    assert loaded.origin == str(cached.resolve())
    pinned = genprint.SetEncoder.from_pretrained("hf:someone/model", revision=COMMIT, offline=True)
    assert pinned.extractor_id == loaded.fingerprinter.extractor_id
    assert folder_of(f"hf:someone/model@{COMMIT}", offline=True) == cached


@pytest.mark.parametrize("reference", ["hf:someone/else", "hf:someone/model@other"])
def test_what_is_not_in_the_cache_is_told(cached, reference):
    with pytest.raises(WeightsError, match="not in the cache"):
        genprint.load(reference, offline=True)


def test_a_folder_is_a_folder(tmp_path):
    assert folder_of(tmp_path) == tmp_path
    assert folder_of(str(tmp_path)) == tmp_path
