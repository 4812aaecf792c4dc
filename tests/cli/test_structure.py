"""The command structure."""

import json

from PIL import Image

from tests.cli.conftest import run


def test_it_says_what_is_seen_and_what_not(tmp_path, golden_images, with_shipped):
    for i, pixels in enumerate(golden_images["gan-dcgan-s0"][:12]):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    said = run("structure", tmp_path).stdout
    assert "looks like a transposed convolution or a sub-pixel one; no JPEG is seen" in said
    assert said.count("third-party sources") == 2
    found = json.loads(run("structure", tmp_path, "--json").stdout)
    assert [trait["answer"] for trait in found["traits"]] == ["transposed or sub-pixel", "unknown"]


def test_where_nothing_is_seen_the_code_says_so(tmp_path, rng, with_shipped):
    for i, pixels in enumerate(rng.integers(0, 256, (4, 32, 32, 3), dtype="uint8")):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    assert "not seen" in run("structure", tmp_path, code=3).stdout


def test_another_model_cannot_and_says_why(probe):
    assert "thumbnails only" in run("structure", probe, code=1).stderr
