"""The demo: a folder of results from the shipped generators alone."""

import json

import pytest
from typer.testing import CliRunner

from genprint import demo
from genprint.cli import app
from genprint.generators.collection import find

GENERATORS = ("vae-conv-s0", "vae-conv-s1", "vae-conv-s0-tuned", "gan-dcgan-s0", "gan-dcgan-s1")


@pytest.fixture
def quick(monkeypatch):
    """Few generators that sample fast, few images."""
    monkeypatch.setattr(demo, "demonstrated", lambda: [find(name) for name in GENERATORS])
    monkeypatch.setattr(demo, "ENROLLED", 8)
    monkeypatch.setattr(demo, "PROBES", 2)
    monkeypatch.setattr(demo, "SIZES", (1, 4))


def test_it_writes_all_it_says(quick, small_model, tmp_path):
    steps = []
    summary = demo.run(small_model, tmp_path / "out", 0, lambda at, what: steps.append((at, what)))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "tree.png", "tree.svg", "tree.newick", "traces.png", "attributions.json", "report.html"
    }  # fmt: skip
    assert [at for at, _ in steps] == sorted(at for at, _ in steps)
    written = json.loads((tmp_path / "out" / "attributions.json").read_text())
    # The first of each class is left out, so that there is something unknown.
    assert written["not_enrolled"] == ["gan-dcgan-s0", "vae-conv-s0"]
    assert written["enrolled"] == ["vae-conv-s1", "vae-conv-s0-tuned", "gan-dcgan-s1"]
    assert written["rate"] == pytest.approx(1 / 4)
    for table in written["by_size"].values():
        assert (table["enrolled_probes"], table["unknown_probes"]) == (6, 4)
        assert table["attributed_right"] + table["attributed_wrong"] <= 6
        assert sum(sum(row.values()) for row in table["confusion"].values()) == 10
    assert len(written["attributions"]) == 20
    assert {"decision", "llr", "evidence", "condition"} <= set(written["attributions"][0])
    assert "3 sources enrolled with 8 images each" in summary
    table = written["by_size"]["4"]
    line = next(line.split() for line in summary.splitlines() if line.split()[:1] == ["4"])
    assert line[:4] == ["4", "6", str(table["best_candidate_right"]), str(table["attributed_right"])]
    assert sum(map(int, line[3:])) == 6
    assert set(written["images"].values()) == {16}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "vae-conv-s0 (not enrolled)" in page
    assert "Probes of 4 images: answers" in page


def test_sets_are_as_many_as_the_images_make(quick, small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "IMAGES", 13)
    demo.run(small_model, tmp_path / "out", 0, lambda at, what: None)
    written = json.loads((tmp_path / "out" / "attributions.json").read_text())
    assert [table["enrolled_probes"] for table in written["by_size"].values()] == [6, 3]


def test_the_command_says_what_to_do_next(quick, small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "run", lambda model, output, seed, progress: f"done {output.name} {seed}")
    done = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "x"), "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("done x 3\n")
    for command in ("genprint attribute", "genprint verify", "genprint families"):
        assert command in done.stdout
