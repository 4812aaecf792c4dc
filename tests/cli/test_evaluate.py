"""Commands that measure."""

import json

import numpy as np
import pytest

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


def test_attributability(folder):
    arguments = ("evaluate", "attributability", folder, "--enrolled", 8, "--probe", "1,4", "--repeats", 2, "--json")
    assert "--real" in run(*arguments, "--method", "manifpt_rgb", code=1).stderr
    methods = json.loads(run(*arguments, "--method", "set_encoder", "--method", "marra").stdout)["methods"]
    assert (methods["set_encoder"]["role"], methods["marra"]["role"]) == ("method", "peer")
    cell = methods["set_encoder"]["top1"]["4"]
    assert cell["low"] <= cell["mean"] <= cell["high"]
    assert cell["mean"] > 0.9  # grain differs by a factor of four
    assert set(methods["marra"]["paired"]) == {"1", "4"}


@pytest.mark.slow
def test_attributability_of_all_methods(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "train", lambda network, *_: network.eval())  # learned peers take minutes
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(1), 20))
    arguments = ("--enrolled", 8, "--probe", "4", "--repeats", 1, "--real", tmp_path / "real.npz", "--json")
    result = json.loads(run("evaluate", "attributability", folder, "--method", "all", *arguments).stdout)
    assert set(result["methods"]) == set(METHODS)


def test_curves_of_an_open_set_are_drawn(folder, tmp_path):
    picture = tmp_path / "curves.png"
    run("evaluate", "open-set", folder, "--size", 4, "--enrolled", 8, "--method", "colour", "-o", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("attributability", ("--method", "colour", "--enrolled", 8, "--probe", 4)),
        ("existence", ("--method", "colour", "--size", 10)),
        ("stability", ("--method", "colour", "--size", 5)),
        ("open-set", ("--method", "colour", "--enrolled", 8, "--size", 4)),
        ("robustness", ("--method", "colour", "--enrolled", 8, "--size", 4, "--repeats", 1)),
        ("answers", ("--enrolled", 8, "--size", 4)),
        ("verification", ("--size", 4, "--shipped")),
    ],
)
def test_json_lists_what_was_left_out(folder, question, options):
    (folder / "empty").mkdir()
    (folder / "fine" / "note.txt").write_text("no image")
    found = json.loads(run("evaluate", question, folder, *options, "--json").stdout)
    assert found["sources"] == 3
    (source,) = found["left_out"]
    assert source["name"] == "empty"
    assert "there is no file in it" in source["reason"]
    ((name, (image,)),) = found["images_left_out"].items()
    assert (name, image["name"].endswith("note.txt")) == ("fine", True)
