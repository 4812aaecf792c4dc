"""What the probe's files say, in the terminal, in JSON and in reports; and whom a trust list trusts."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.cli.conftest import run, write_sources
from tests.conftest import encoded, textured
from tests.images.test_manifest import sign


@pytest.fixture
def known(tmp_path, rng):
    return write_sources(tmp_path / "known", rng, sources=3, images=8)


@pytest.fixture
def probe(tmp_path, rng, signer):
    """Three images: signed, with evil text, and plain."""
    (tmp_path / "probe").mkdir()
    images = [Image.fromarray(pixels) for pixels in textured(rng, 3, grain=5.0)]
    text = PngInfo()
    text.add_text("Software", "<b>evil</b>\x1b[2K")
    contents = sign(signer, encoded(images[0])), encoded(images[1], pnginfo=text), encoded(images[2])
    for i, content in enumerate(contents):
        (tmp_path / "probe" / f"{i}.png").write_bytes(content)
    return tmp_path / "probe"


def test_what_files_say_is_told(known, probe, trust, tmp_path, monkeypatch):
    question = ("attribute", probe, "--known", known, "--no-conditions")
    page = tmp_path / "r.html"
    told = run(*question, "--report", page, code=None).stdout
    assert "\n    1 of 3 files has a C2PA manifest: valid, not trusted; made by a made-up model;" in told
    assert r"1 of 3 files says software: <b>evil</b>\x1b[2K (PNG text)" in told
    assert "\x1b" not in told
    assert "Anybody can forge or strip what a file says" in told
    shown = page.read_text()
    assert "<h2>What the files say</h2>" in shown
    assert "&lt;b&gt;evil&lt;/b&gt;" in shown
    assert "<b>evil" not in shown
    assert run("report", "reproduce", page.with_suffix(".json")).exit_code == 0

    def states(*options):
        answer = json.loads(run(*question, "--json", *options, code=None).stdout)
        assert "claims" not in answer["evidence"]
        return {state: count for state, count in answer["claims"]["manifests"].items() if count}

    assert states() == {"valid, not trusted": 1, "absent": 2}
    assert states("--trust", trust) == {"trusted": 1, "absent": 2}
    monkeypatch.setenv("GENPRINT_TRUST", str(trust))
    assert states() == {"trusted": 1, "absent": 2}
    # a report is made again by the trust list that it was made with: none
    assert run("report", "reproduce", page.with_suffix(".json")).exit_code == 0


def test_a_report_remembers_its_trust_list(known, probe, trust, tmp_path):
    page = tmp_path / "r.html"
    run("attribute", probe, "--known", known, "--no-conditions", "--trust", trust, "--report", page, code=None)
    record = page.with_suffix(".json")
    assert json.loads(record.read_text())["inputs"]["trust"] == str(trust.resolve())
    assert run("report", "reproduce", record).exit_code == 0
    moved = trust.rename(tmp_path / "elsewhere.pem")
    assert "say where it lies now with --trust" in run("report", "reproduce", record, code=1).output
    probe = probe.rename(tmp_path / "moved")  # what files say is the same, wherever they lie
    assert run("report", "reproduce", record, "--trust", moved, "--probe", probe).exit_code == 0


def test_a_trust_list_without_certificates_is_an_error(known, probe, tmp_path):
    (tmp_path / "bad.pem").write_text("nonsense")
    done = run("attribute", probe, "--known", known, "--trust", tmp_path / "bad.pem", code=1)
    assert "bad.pem: cannot be read as PEM certificates" in done.stderr
