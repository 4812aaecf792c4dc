"""The page of pictures, on a tiny bed."""

import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genprint.fingerprints.cache import Cache
from genprint.model import Model
from tests.bed import FILTERS, PUBLISHERS, make_bed

ENROLLED, PHOTOGRAPHS = 12, 24


@pytest.fixture
def modules(monkeypatch):
    """Benchmarks are scripts: they import each other by name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    import bed
    import kept
    import picture_answers
    import picture_sections
    import pictures

    return {"bed": bed, "kept": kept, "answers": picture_answers, "sections": picture_sections, "pictures": pictures}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, golden_images):
    return make_bed(tmp_path_factory.mktemp("bed"), golden_images["score-ddim-s0"][:PHOTOGRAPHS])


@pytest.fixture
def tiny(modules, folder, small_model, tmp_path):
    read = modules["bed"]
    names = read.photographs(folder, list(PUBLISHERS), list(FILTERS), None)
    setting = read.Setting(tuple(PUBLISHERS), tuple(FILTERS), names, ENROLLED, 2, 0, 8)
    kept = modules["kept"].Kept(tmp_path / "found.json")
    return read.Bed(folder, setting, small_model, Cache(tmp_path / "features.sqlite"), kept)


def test_photographs_are_divided_and_not_images(modules):
    for known, asked in modules["bed"].divisions(20, 12, 3, 0):
        assert sorted([*known, *asked]) == list(range(20))
        assert len(known) == 12
    (first, _), (second, _), _ = modules["bed"].divisions(20, 12, 3, 0)
    assert set(first) != set(second)


def test_each_source_is_in_a_quarter(modules):
    names = [str(i) for i in range(22)]
    found = modules["bed"].quarters(names, 0)
    assert set(found) == set(names)
    assert sorted(list(found.values()).count(part) for part in "0123") == [5, 5, 6, 6]
    assert len(set(modules["bed"].quarters(names[:4], 0).values())) == 4


def test_rates_by_pipeline(modules, tiny):
    assert len(tiny.setting.photographs) == PHOTOGRAPHS
    found = tiny.rates("covariance")
    assert set(found) == set(found["png"]) == set(PUBLISHERS)
    assert np.mean(found["png"]["png"]["10"]) > 0.9
    assert len(found["png"]["jpeg80"]["1"]) == len(FILTERS)
    header = tiny.rates("header")
    assert header["png"]["jpeg80"] == {size: [0.25] * 4 for size in ("1", "5", "10")}  # all are alike


def test_methods_whose_features_depend_on_the_size_are_compared_where_they_can_be(modules, tiny):
    read = tiny.read(modules["bed"].reader_of("colour", tiny.model, [])[0])
    narrow = {
        source: {**own, "jpeg80": replace(own["jpeg80"], features=own["jpeg80"].values[:, :5])}
        for source, own in read.items()
    }
    comparer = modules["bed"].reader_of("colour", tiny.model, [])[1]
    found = modules["bed"].rates(narrow, comparer, tiny.setting)
    assert set(found["png"]) == {"png"}
    assert set(found["jpeg80"]) == {"jpeg80"}
    assert modules["sections"].by_source(found, [("png", "jpeg80")], 5) is None
    assert modules["sections"].cell(None) == "-"


def test_both_sides_and_matched_are_paired(modules, tiny):
    lines = modules["sections"].both_sides(tiny).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["1", "5", "10"]
    own, matched = (tiny.rates(name) for name in ("set_encoder", modules["bed"].MATCHED))
    lost = 100 * (np.mean(matched["png"]["jpeg80"]["5"]) - np.mean(own["jpeg80"]["jpeg80"]["5"]))
    assert lines[3].split(" | ")[-1].startswith(f"{lost:+.1f} [")


def test_what_was_found_is_found_again(modules, tmp_path):
    made = []

    def make():
        made.append(1)
        return {"rate": (1, 2)}

    kept = modules["kept"].Kept(tmp_path / "found.json")
    assert kept.get("x", {"seed": 0}, make) == {"rate": [1, 2]}
    kept.put_text("a", "text")
    again = modules["kept"].Kept(tmp_path / "found.json")
    assert again.get("x", {"seed": 0}, make) == {"rate": [1, 2]}
    assert len(made) == 1
    assert again.seconds > 0
    again.get("x", {"seed": 1}, make)
    again.get("x", {"seed": 0}, make)  # another question leaves it there
    assert len(made) == 2
    anew = modules["kept"].Kept(tmp_path / "found.json", anew=True)
    anew.get("x", {"seed": 0}, make)
    assert len(made) == 3
    assert anew.texts == {"a": "text"}


def test_costs_of_ratios(modules):
    costs = modules["answers"].costs
    same, different = {"a": (3.0, 4.0), "b": (), "c": (2.0,)}, {"a": (-3.0,), "b": (-1.0,), "c": (-4.0, -2.0)}
    found = costs(same, different)
    assert found["cllr_min"] == pytest.approx(0, abs=1e-6)
    by_hand = [
        (np.log2(1 + np.exp([-3.0, -4.0])).mean() + np.log2(1 + np.exp(-3.0))) / 2,
        (np.log2(1 + np.exp(-2.0)) + np.log2(1 + np.exp([-4.0, -2.0])).mean()) / 2,
    ]
    assert found["cllr"] == pytest.approx(np.mean(by_hand))
    assert costs({"a": ()}, {"a": (1.0,)}) is None


@pytest.mark.slow
def test_the_page(modules, folder, small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(Model, "load", classmethod(lambda cls, *_: copy.deepcopy(small_model)))
    page = tmp_path / "pictures.md"
    arguments = ["pictures.py", str(folder), "--work", str(tmp_path / "work.sqlite"), "--page", str(page)]
    few = ["--enrolled", "12", "--repeats", "1", "--counts", "1", "all", "--methods", "covariance"]

    def written(*more):
        monkeypatch.setattr(sys, "argv", [*arguments, *few, *more])
        modules["pictures"].main()
        return page.read_text()

    text = written()
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == list(modules["pictures"]._TITLES.values())
    assert text.count("Commit ") == 7
    assert "| all | 0." in text
    assert "| the others | png and jpeg80 |" in text
    # One section anew leaves the others as they are.
    changed = written("--sections", "f", "--limit", "23")
    assert changed.count("24 photographs") == 6
    assert changed.count("23 photographs") == 1
