"""Commands about many sources."""

import json

import numpy as np

from tests.cli.conftest import run


def test_families_writes_all_it_says(tmp_path, folder):
    output = tmp_path / "out"
    tree = json.loads(run("families", folder, "-o", output, "--json").stdout)
    assert sorted(tree["sources"]) == ["coarse", "fine", "middle"]
    assert {p.name for p in output.iterdir()} == {
        "tree.png", "tree.svg", "tree.newick", "distances.csv", "families.json"
    }  # fmt: skip
    distances = np.array(tree["distances"])
    assert (distances == distances.T).all()
    run("families", folder, "--linkage", "nothing", code=1)
