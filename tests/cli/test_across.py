"""What one publisher left, asked as another did: a generator enlarged by Pillow's filters, as PNG and as JPEG."""

import json

import pytest

from tests.bed import FILTERS, make_bed
from tests.cli.conftest import run

ARGUMENTS = ("--across", "publisher", "--enrolled", 8, "--probe", "1,4", "--repeats", 1)
CHEAP = ("--method", "covariance")


@pytest.fixture
def published(tmp_path, golden_images):
    return make_bed(tmp_path / "bed", golden_images["vae-conv-s0"][:16], flat=True)


def test_across_publishers(published, tmp_path):
    saved = tmp_path / "across.json"
    arguments = ("evaluate", "attributability", published, *ARGUMENTS, *CHEAP, "--content", "photographs")
    result = json.loads(run(*arguments, "--json", "-o", saved).stdout)
    assert json.loads(saved.read_text()) == result
    assert (result["across"], result["same"], result["after"], result["sources"]) == ("publisher", "model", None, 8)
    methods = result["methods"]
    assert [(name, own["role"]) for name, own in methods.items()] == [
        ("covariance", "peer"), ("colour", "control"), ("thumbnail", "control"), ("header", "control"),
    ]  # fmt: skip
    pairs = {(one["enrolled"], one["asked"]): one for one in methods["covariance"]["pairs"]}
    assert set(pairs) == {(i, j) for i in ("png", "jpeg80") for j in ("png", "jpeg80")}
    assert pairs["png", "png"]["top1"]["4"]["mean"] > 0.5
    assert pairs["png", "jpeg80"]["chance"] == pytest.approx(1 / 7)  # six sets of the other three
    assert set(pairs["png", "jpeg80"]["by_generator"]["1"]) == set(FILTERS)
    # Other sets have the probe's own format, so that headers lead astray.
    assert methods["header"]["all"]["top1"]["4"]["mean"] == 0
    assert set(methods["header"]["paired"]) == {"1", "4"}


def test_after_one_processing_headers_say_nothing(published, tmp_path):
    page, more = tmp_path / "across.md", ("--after", "JPEG 75", "--alike")
    shown = run("evaluate", "attributability", published, *ARGUMENTS, *CHEAP, *more, "-o", page).stdout
    assert "png -> jpeg80: 4 generators, chance 25.0%" in shown
    (header,) = [line for line in page.read_text().splitlines() if line.startswith("| all pairs")][:1]
    assert header.endswith("| 25% [25%, 25%] |")  # all four are alike


def test_what_is_asked_for_has_to_be_there(published):
    arguments = ("evaluate", "attributability", published, *ARGUMENTS, *CHEAP)
    assert "needs columns site" in run(*arguments, "--across", "site", code=1).stderr
    assert "wobble: no such processing" in run(*arguments, "--after", "wobble", code=1).stderr
