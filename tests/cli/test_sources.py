"""Commands about many sources."""

import json
import shutil

import numpy as np

from tests.cli.conftest import run


def test_families_writes_all_it_says(tmp_path, folder):
    output = tmp_path / "out"
    tree = json.loads(run("families", folder, "-o", output, "--json").stdout)
    assert sorted(tree["sources"]) == ["coarse", "fine", "middle"]
    assert {p.name for p in output.iterdir()} == {
        "tree.html", "tree.png", "tree.svg", "tree.newick", "distances.csv", "families.json", "families.csv"
    }  # fmt: skip
    assert set(tree["families"]) == set(tree["sources"])
    assert "Family tree of 3 sources" in (output / "tree.html").read_text()
    distances = np.array(tree["distances"])
    assert (distances == distances.T).all()
    run("families", folder, "--linkage", "nothing", code=1)
    run("families", folder, "--resampling", "nothing", code=1)


def test_sources_are_added_to_a_tree(tmp_path, folder, rng):
    known, more = tmp_path / "known", tmp_path / "more"
    shutil.copytree(folder, known)
    shutil.copytree(folder / "fine", more / "fine again")
    command = ("families", known, "--add", more, "--support", "4", "--resampling", "bootstrap", "-o", tmp_path / "out")
    tree = json.loads(run(*command, "--cut-support", "0", "--json").stdout)
    assert tree["added"] == ["fine again"]
    assert tree["families"]["fine again"] == tree["families"]["fine"]
    said = run(*command, "--cut-support", "0").stdout
    assert "family of 2: fine, fine again" in said
    agreed = json.loads(run(*command, "--spectrum", "--json").stdout)
    assert agreed["distances"] != tree["distances"]
    alone = run(*command, "--support", "0").stdout
    assert "family of" not in alone
    assert not (tmp_path / "out" / "families.csv").exists()
    assert "already" in run("families", known, "--add", known, "-o", tmp_path / "no", code=1).stderr
