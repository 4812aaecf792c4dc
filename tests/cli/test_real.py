"""Real or generated, by names given and by what DATA/sources.csv says."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import run
from tests.conftest import textured

FAST = ("--method", "colour", "--method", "header", "--learned", 6, "--size", "1,4", "--repeats", 1, "--json")


@pytest.fixture
def photographs_and_models(tmp_path):
    """Photographs are dark, generated images bright; of both, each source has a shade of its own."""
    data = tmp_path / "data"
    shades = {"camera-a": 40, "camera-b": 60, "model-a": 180, "model-b": 200, "model-b-again": 210}
    for i, (name, shade) in enumerate(shades.items()):
        (data / name).mkdir(parents=True)
        dark = textured(np.random.default_rng(i), 12).astype(float) / 8 + shade
        for j, pixels in enumerate(dark.astype(np.uint8)):
            Image.fromarray(pixels).save(data / name / f"{j}.png")
    with (data / "sources.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "class", "site", "model"])
        for name in shades:
            real = name.startswith("camera")
            rows.writerow([name, "real" if real else "gan", "one site" if real else "", name.removesuffix("-again")])
    return data


def test_each_publisher_is_left_out_with_each_generator(photographs_and_models, tmp_path):
    saved = tmp_path / "real.json"
    named = ("--real", "camera-a", "--real", "camera-b", "-o", saved)
    found = json.loads(run("evaluate", "real", photographs_and_models, *named, *FAST).stdout)
    assert json.loads(saved.read_text()) == found
    assert found["real"] == {"camera-a": "camera-a", "camera-b": "camera-b"}
    assert "2 publishers of real photographs" in found["caution"]
    colour, header = (found["methods"][name]["conditions"] for name in ("colour", "header"))
    assert list(colour) == ["as found", "JPEG 75"]
    assert list(header) == ["as found"]  # after a processing there are no files
    assert colour["as found"]["4"]["auroc"]["mean"] > 0.9
    assert set(colour["as found"]["4"]["by_pair"]["camera-b"]) == {"model-a", "model-b", "model-b-again"}
    assert header["as found"]["1"]["auroc"]["mean"] == 0.5  # all are alike: PNG of one size


def test_a_table_says_what_is_real_and_what_belongs_together(photographs_and_models):
    found = json.loads(run("evaluate", "real", photographs_and_models, "--same", "model", *FAST).stdout)
    assert set(found["real"]) == {"camera-a", "camera-b"}
    assert found["generated"]["model-b-again"] == "model-b"
    text = run("evaluate", "real", photographs_and_models, *FAST[:-1]).stdout
    assert "publisher and generator unseen (chance 50%)" in text
    assert "No rate of false answers follows from 2 publishers" in text
    told = run("evaluate", "real", photographs_and_models, "--publisher", "site", *FAST[:-1], code=1).stderr
    assert "1 group of publishers of real images" in told


def test_names_and_columns_that_are_not_there_are_told(photographs_and_models):
    arguments = ("evaluate", "real", photographs_and_models, *FAST[:-1])
    assert "--real camera: no such source" in run(*arguments, "--real", "camera", code=1).stderr
    assert "needs columns owner" in run(*arguments, "--publisher", "owner", code=1).stderr
    table = photographs_and_models / "sources.csv"
    table.write_text(table.read_text().replace(",real,", ",photo,"))
    assert "name the real ones with --real NAME" in run(*arguments, code=1).stderr
    table.unlink()
    assert "sources.csv: no such file; it needs columns source, class" in run(*arguments, code=1).stderr
