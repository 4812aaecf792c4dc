"""Commands that measure."""

import json

import numpy as np

from genprint.baselines import classifier
from genprint.evaluation.methods import METHODS
from tests.cli.conftest import run
from tests.conftest import textured


def test_verification(data):
    found = json.loads(run("evaluate", "verification", data, "--size", "5,10", "--json").stdout)
    assert (found["sources"], found["judged_by"]) == (6, "others")
    assert set(found["sizes"]) == {"5", "10"}
    assert found["sizes"]["10"]["false_same"]["mean"] < 0.3
    assert "one source: different" in run("evaluate", "verification", data, "--shipped").stdout


def test_attributability_of_all_methods(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "train", lambda network, *_: network.eval())  # learned peers take minutes
    arguments = ("evaluate", "attributability", folder, "--enrolled", 8, "--probe", "1,4", "--repeats", 2, "--json")
    assert "--real" in run(*arguments, "--method", "manifpt_rgb", code=1).stderr
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(1), 20))
    result = json.loads(run(*arguments, "--method", "all", "--real", tmp_path / "real.npz").stdout)
    assert set(result["methods"]) == set(METHODS)
    assert result["methods"]["marra"]["role"] == "peer"
    cell = result["methods"]["set_encoder"]["top1"]["4"]
    assert cell["low"] <= cell["mean"] <= cell["high"]
    assert cell["mean"] > 0.9  # grain differs by a factor of four


def test_curves_of_an_open_set_are_drawn(folder, tmp_path):
    picture = tmp_path / "curves.png"
    run("evaluate", "open-set", folder, "--size", 4, "--enrolled", 8, "--method", "colour", "-o", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
