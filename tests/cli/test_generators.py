"""Commands that sample and train generators."""

import csv
import json

import numpy as np
import pytest

from tests.cli.conftest import run
from tests.conftest import textured


def test_sampling_and_training(tmp_path):
    listed = json.loads(run("generators", "list", "--json").stdout)
    assert {row["name"] for row in listed} >= {"vae-conv-s0", "flow-wavelet-s0", "gan-dcgan-s1", "score-ddim-s0-ddim10"}
    run("generators", "sample", "vae-conv-s0", "-n", 3, "-o", tmp_path / "s")
    assert len(list((tmp_path / "s").glob("*.png"))) == 3
    assert "holds files already" in run("generators", "sample", "gan-dcgan-s0", "-o", tmp_path / "s", code=1).stderr
    assert len(list((tmp_path / "s").glob("*.png"))) == 3
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(0), 80))
    run("generators", "train", "vae-conv", tmp_path / "real.npz", "-o", tmp_path / "v", "--steps", 2)
    run("generators", "sample", tmp_path / "v", "-n", 2, "-o", tmp_path / "s2")
    assert len(list((tmp_path / "s2").glob("*.png"))) == 2


@pytest.mark.parametrize("wrong", ["sample", "train", "train-all"])
def test_what_is_not_there_is_an_error(tmp_path, wrong):
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(0), 8))
    real, output = tmp_path / "real.npz", tmp_path / "n"
    arguments = {
        "sample": ("nothing",),
        "train": ("nothing", real, "-o", output),
        "train-all": (real, "-o", output, "--only", "nothing"),
    }
    run("generators", wrong, *arguments[wrong], code=1)
    assert not output.exists()


def test_sampling_all_gives_labelled_sources(tmp_path, monkeypatch):
    from genprint.generators import collection

    some = [collection.find(name) for name in ("vae-conv-s0", "vae-conv-s0-int8")]
    monkeypatch.setattr(collection, "shipped", lambda: some)
    run("generators", "sample", "all", "-n", 2, "-o", tmp_path)
    with (tmp_path / "sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["class"], row["parent"]) for row in rows] == [
        ("vae-conv-s0", "vae", ""), ("vae-conv-s0-int8", "vae", "vae-conv-s0")
    ]  # fmt: skip
    assert len(list((tmp_path / "vae-conv-s0-int8").glob("*.png"))) == 2
