"""Questions about image sets: exit codes, JSON, what is said of p, and errors that name the file."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from genprint.encoder.encoder import SHIPPED
from genprint.images.sets import ImageSet
from genprint.scoring.likelihood_ratio import times
from tests.cli.conftest import run, write_sources
from tests.conftest import encoded, png_header

PLAIN = "--no-conditions"
#: A sentence that gives a p says of which null hypothesis it is.
SAID_OF_P = re.compile(
    r"^ *(exchangeability test against \S+|for H0, .+): p = [01]\.\d{3} \((not )?rejected at 0\.05\)$"
)


def test_help_and_version():
    assert "attribute" in run("--help").output
    assert run("--version").output.strip()


def test_attribute_one_shot_and_from_a_gallery(tmp_path, data, probe):
    one_shot = json.loads(run("attribute", probe, "--known", data, PLAIN, "--json").stdout)
    assert one_shot["decision"] == "attributed"
    assert one_shot["source"] == "s2"
    assert one_shot["llr"] == one_shot["evidence"]["ratio"]["llr"] > 0
    assert set(one_shot) == {
        "verdict", "probe", "decision", "source", "llr", "reason", "images", "condition", "evidence", "left_out",
        "claims", "said", "changes", "next_step", "copies", "expected", "stress",
    }  # fmt: skip
    assert set(one_shot["evidence"]) == {
        "score", "threshold", "rate", "calibrated_at", "p", "candidates", "ratio", "condition", "p_counts",
        "no_ratio",
    }  # fmt: skip
    assert set(one_shot["evidence"]["candidates"][0]) == {"source", "images", "raw_llr", "posterior"}
    assert set(one_shot["evidence"]["ratio"]) == {
        "hp", "hd", "llr", "low", "high", "cap", "sources", "calibrated_at", "by_images"
    }  # fmt: skip
    gallery = tmp_path / "g.sqlite"
    for source in sorted(data.iterdir()):
        run("enroll", source.name, source, "--gallery", gallery)
    enrolled = json.loads(run("attribute", probe, "--gallery", gallery, "--json").stdout)
    assert enrolled == one_shot
    assert "0 images added" in run("enroll", "s0", data / "s0", "--gallery", gallery).stdout
    assert json.loads(run("sources", "--gallery", gallery, "--json").stdout)["s0"]["images"] == 30


@pytest.mark.slow
def test_attribute_with_the_shipped_model(data, probe, with_shipped):
    answer = json.loads(run("attribute", probe, "--known", data, PLAIN, "--json").stdout)
    assert (answer["decision"], answer["source"], answer["condition"]) == ("attributed", "s2", "original")


def test_natural_logs_are_one_number(data, probe):
    ratio = json.loads(run("attribute", probe, "--known", data, PLAIN, "--json").stdout)["evidence"]["ratio"]
    assert ratio["low"] <= ratio["llr"] <= ratio["high"] or ratio["llr"] == ratio["cap"]
    assert abs(ratio["llr"]) <= ratio["cap"] <= np.log(7)  # 6 sources support no larger ratio
    said = run("attribute", probe, "--known", data, PLAIN).stdout
    assert f"likelihood ratio {times(ratio['llr'])}" in said
    assert f"first: {ratio['hp']}" in said
    assert f"second: {ratio['hd']}" in said


def test_images_that_are_enrolled_prove_nothing(data, probe):
    for file in list((data / "s0").iterdir())[:4]:
        shutil.copy(file, probe / f"copy of {file.name}")
    done = run("attribute", probe, "--known", data, PLAIN, "--json")
    answer = json.loads(done.stdout)
    assert answer["images"] == 12
    assert [left["reason"] for left in answer["left_out"]] == ["the same file is enrolled, as of s0"] * 4
    assert done.stderr.count("the same file is enrolled") == 4
    failed = run("attribute", data / "s1", "--known", data, PLAIN, code=1)
    assert "all 30 images are enrolled themselves" in failed.stderr


def test_messages_show_names_as_they_are(tmp_path):
    for name in ("models[v2]", "a[/b]"):
        (tmp_path / name).mkdir(parents=True)
        done = run("attribute", tmp_path / name, "--known", tmp_path / name, code=1)
        assert str(tmp_path / name) in done.stderr


def test_a_source_far_from_all_is_unknown(tmp_path, data):
    shutil.move(data / "s5", tmp_path / "probe")
    run("attribute", tmp_path / "probe", "--known", data, PLAIN, code=3)


def test_one_source_cannot_set_a_threshold(tmp_path, rng, probe):
    known = write_sources(tmp_path / "one", rng, sources=1)
    answer = json.loads(run("attribute", probe, "--known", known, PLAIN, "--json", code=4).stdout)
    assert (answer["decision"], answer["llr"]) == ("inconclusive", None)
    assert answer["evidence"]["threshold"] is answer["evidence"]["score"] is answer["evidence"]["ratio"] is None


def test_verify(tmp_path, data):
    (tmp_path / "half").mkdir()
    for path in sorted((data / "s0").iterdir())[:15]:
        shutil.move(path, tmp_path / "half")
    pair, known = ("verify", tmp_path / "half", data / "s0"), ("--known", data, PLAIN)
    same = json.loads(run(*pair, *known, "--json").stdout)
    assert (same["decision"], same["sources"], same["rate"]) == ("same", 6, pytest.approx(1 / 7))
    assert set(same) == {
        "verdict", "left", "right", "decision", "llr", "images", "evidence", "hp", "hd", "rate", "population",
        "sources", "left_out", "said",
    }  # fmt: skip
    evidence = same["evidence"]
    assert {"similarity", "same_above", "different_below", "conditions", "one_condition", "typical"} <= set(evidence)
    assert evidence["different_below"] < evidence["same_above"] <= evidence["similarity"]
    assert same["llr"] > 0
    run("verify", data / "s0", data / "s5", *known, code=3)
    # It came with the encoder and knows no such textures.
    assert "unlike the population" in run(*pair, code=4).stdout
    run(*pair, *known, "--gallery", data, code=1)


@pytest.mark.parametrize("bad", ["empty", "text", "tiny", "bomb"])
def test_a_probe_without_usable_images_is_an_error(tmp_path, folder, bad):
    probe = tmp_path / "bad"
    probe.mkdir()
    content = {"text": b"text", "tiny": encoded(Image.new("RGB", (1, 1))), "bomb": png_header(30_000, 30_000)}
    if bad in content:
        (probe / "a.png").write_bytes(content[bad])
    answer = json.loads(run("attribute", probe, "--known", folder, PLAIN, "--json", code=1).stdout)
    assert answer["decision"] == "error"
    assert str(probe) in answer["reason"]


def test_an_error_before_any_answer_is_json_too(tmp_path, probe):
    done = run("attribute", probe, "--gallery", tmp_path / "none.sqlite", "--json", code=1)
    answer = json.loads(done.stdout)
    assert set(answer) == {"decision", "reason"}
    assert answer["decision"] == "error"
    assert answer["reason"] in done.stderr


def test_of_several_probes_one_that_fails_shows_in_the_exit_code(tmp_path, data, probe):
    (tmp_path / "empty").mkdir()
    done = run("attribute", probe, tmp_path / "empty", "--known", data, PLAIN, "--json", code=1)
    assert [answer["decision"] for answer in json.loads(done.stdout)] == ["attributed", "error"]
    run("attribute", probe, probe, "--known", data, PLAIN, code=0)


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path, folder, probe, monkeypatch):
    monkeypatch.setattr(ImageSet, "read", None)  # would be called first
    (tmp_path / "file").touch()
    for option in ("--report", "--log"):
        bad = tmp_path / "file" / "report.html"
        assert str(bad) in run("attribute", probe, "--known", folder, option, bad, code=1).stderr


def test_a_truncated_jpeg_among_good_images_is_left_out(data, probe):
    (probe / "cut.jpg").write_bytes(encoded(Image.effect_noise((64, 64), 50), "JPEG")[:400])
    answer = json.loads(run("attribute", probe, "--known", data, PLAIN, "--json").stdout)
    assert answer["images"] == 12
    assert "damaged" in answer["left_out"][0]["reason"]


def test_a_missing_path_is_a_usage_error(tmp_path):
    run("attribute", tmp_path / "nothing", code=2)


def test_nothing_enrolled_says_what_to_do(tmp_path, probe):
    assert "genprint enroll" in run("attribute", probe, "--gallery", tmp_path / "none.sqlite", code=1).stderr


def test_damaged_weights_are_refused(tmp_path, folder, probe):
    model = tmp_path / "model"
    shutil.copytree(SHIPPED, model)
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (model / "model.safetensors").write_bytes(bytes(weights))
    error = run("attribute", probe, "--known", folder, "--model", model, code=1).stderr
    assert "damaged" in error.replace("\n", " ")
    (model / "config.json").unlink()
    run("attribute", probe, "--known", folder, "--model", model, code=1)


def test_p_is_of_a_null_hypothesis_and_never_its_probability(tmp_path, folder, data, probe):
    mixed = tmp_path / "pile"
    mixed.mkdir()
    for name in ("fine", "coarse"):
        for file in sorted((folder / name).iterdir())[:10]:
            shutil.move(file, mixed / f"{name} {file.name}")
    said = [
        run("attribute", probe, "--known", data, PLAIN).stdout,
        run("mixture", mixed, "--known", folder, PLAIN).stdout,
        run("lineage", probe, data / "s2", "--apart", data / "s4").stdout,
    ]
    with_p = [[line for line in text.splitlines() if "p = " in line] for text in said]
    assert [len(lines) for lines in with_p] == [1, 2, 1]
    for line in (line for lines in with_p for line in lines):
        assert SAID_OF_P.match(line), line
        assert not re.search("probab|chance|likely|sure|confiden", line)
    (attributed,), (one_source, in_shares), (nearer,) = with_p
    assert attributed.startswith("  exchangeability test against s2: p = ")
    assert one_source.startswith("  for H0, all images are from ")
    assert in_shares.startswith("  for H0, the probe is exchangeable with the known sources in these shares: p = ")
    assert nearer.startswith(f"  for H0, no nearer to {data / 's2'} than to the nearest other: p = ")


def test_lineage_and_the_word_of_before(data, probe):
    arguments = (probe, data / "s2", "--apart", data / "s4", "--apart", data / "s0", "--json")
    found = json.loads(run("lineage", *arguments).stdout)
    assert found["decision"] == "derived"
    assert found["distance"] < min(found["others"].values())
    assert json.loads(run("compare", *arguments).stdout) == found
    commands = [line.split()[1] for line in run("--help").output.splitlines() if line.startswith("│ ")]
    assert "lineage" in commands
    assert "compare" not in commands


def test_lineage_of_pairs(data, tmp_path):
    child, parent, apart = (tmp_path / name for name in ("child", "parent", "apart"))
    child.mkdir()
    for i, (one, other) in enumerate(zip(*(sorted((data / name).iterdir()) for name in ("s2", "s4")), strict=True)):
        brighter = np.asarray(Image.open(one)).astype(int) + 1
        Image.fromarray(brighter.clip(0, 255).astype(np.uint8)).save(child / f"ours {i}.png")
        for file, folder in ((one, parent), (other, apart)):
            folder.mkdir(exist_ok=True)
            shutil.copy(file, folder / f"{i:03}.png")
    arguments = ("lineage", child, parent, "--apart", apart, "--paired")
    told = run(*arguments).stdout
    assert f"of 30 pairs (1 is the same):\n    follows {parent} 1.00\n    follows {apart} " in told
    assert [SAID_OF_P.match(line) is not None for line in told.splitlines() if "p = " in line] == [True, True]
    found = json.loads(run(*arguments, "--json").stdout)
    assert found["decision"] == "derived"
    assert found["followed"]["parent"] > 0.9 > found["followed"]["others"][str(apart)]
    (parent / "000.png").rename(parent / "first.png")
    assert "without a partner" in run(*arguments, code=1).output


def test_a_table_of_whose_each_image_is(tmp_path, data):
    pile = tmp_path / "pile"
    pile.mkdir()
    for name in ("s0", "s5"):
        for file in sorted((data / name).iterdir())[:8]:
            shutil.move(file, pile / f"{name} {file.name}")
    whole = json.loads(run("mixture", pile, "--known", data, PLAIN, "-o", tmp_path / "whose.csv", "--json").stdout)
    assert (whole["decision"], whole["condition"], whole["images"]) == ("mixed", "original", 16)
    assert {"mixed_p", "fit_p", "shares", "members"} <= set(whole)
    with (tmp_path / "whose.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert {row["source"] for row in rows} == {"s0", "s5"}
