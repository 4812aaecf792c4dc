"""The command line: exit codes, JSON, and errors that name the file."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.cli import app
from genprint.encoder.encoder import SHIPPED
from genprint.evaluation.methods import METHODS
from genprint.images.sets import ImageSet

from .conftest import textured
from .test_images import encoded, png_header

runner = CliRunner()


def run(*arguments, code: int = 0):
    result = runner.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def many(root, rng, sources: int = 6):
    for i in range(sources):
        (root / f"s{i}").mkdir(parents=True)
        for j, pixels in enumerate(textured(rng, 30, grain=3.0 * 1.8**i)):
            Image.fromarray(pixels).save(root / f"s{i}" / f"{j}.png")
    return root


@pytest.fixture
def probe(tmp_path, rng):
    (tmp_path / "probe").mkdir()
    for j, pixels in enumerate(textured(rng, 12, grain=3.0 * 1.8**2)):
        Image.fromarray(pixels).save(tmp_path / "probe" / f"{j}.png")
    return tmp_path / "probe"


def test_help_and_version():
    assert "attribute" in run("--help").output
    assert run("--version").output.strip()


def test_attribute_one_shot_and_from_a_gallery(tmp_path, rng, probe):
    data = many(tmp_path / "data", rng)
    one_shot = json.loads(run("attribute", probe, "--known", data, "--json").stdout)
    assert one_shot["answer"] == "attributed"
    assert one_shot["source"] == "s2"
    assert set(one_shot) == {
        "probe", "answer", "source", "images", "score", "threshold", "rate", "calibrated_at", "p",
        "candidates", "reason", "history", "evidence", "left_out",
    }  # fmt: skip
    gallery = tmp_path / "g.sqlite"
    for source in sorted(data.iterdir()):
        run("enroll", source.name, source, "--gallery", gallery)
    enrolled = json.loads(run("attribute", probe, "--gallery", gallery, "--json").stdout)
    assert enrolled["candidates"] == one_shot["candidates"]
    assert "0 images added" in run("enroll", "s0", data / "s0", "--gallery", gallery).stdout
    assert json.loads(run("sources", "--gallery", gallery, "--json").stdout)["s0"] == 30


def test_images_that_are_enrolled_prove_nothing(tmp_path, rng, probe):
    known = many(tmp_path / "known", rng)
    for file in list((known / "s0").iterdir())[:4]:
        shutil.copy(file, probe / f"copy of {file.name}")
    done = run("attribute", probe, "--known", known, "--no-histories", "--json")
    answer = json.loads(done.stdout)
    assert answer["images"] == 12
    assert [left["reason"] for left in answer["left_out"]] == ["the same file is enrolled, as of s0"] * 4
    assert done.stderr.count("the same file is enrolled") == 4
    failed = run("attribute", known / "s1", "--known", known, "--no-histories", code=1)
    assert "all 30 images are enrolled themselves" in failed.stderr


def test_messages_show_names_as_they_are(tmp_path):
    for name in ("models[v2]", "a[/b]"):
        (tmp_path / name).mkdir(parents=True)
        done = run("attribute", tmp_path / name, "--known", tmp_path / name, code=1)
        assert str(tmp_path / name) in done.stderr


def test_a_source_far_from_all_is_unknown(tmp_path, rng):
    data = many(tmp_path / "data", rng)
    shutil.move(data / "s5", tmp_path / "probe")
    run("attribute", tmp_path / "probe", "--known", data, code=3)


def test_one_source_cannot_set_a_threshold(tmp_path, rng, probe):
    run("attribute", probe, "--known", many(tmp_path / "data", rng, sources=1), code=4)


def test_verify(tmp_path, rng):
    data = many(tmp_path / "data", rng)
    (tmp_path / "half").mkdir()
    for path in sorted((data / "s0").iterdir())[:15]:
        shutil.move(path, tmp_path / "half")
    pair, known = ("verify", tmp_path / "half", data / "s0"), ("--known", data)
    same = json.loads(run(*pair, *known, "--json").stdout)
    assert (same["answer"], same["sources"], same["rate"]) == ("same", 6, pytest.approx(1 / 7))
    run("verify", data / "s0", data / "s5", *known, "--no-histories", code=3)
    assert "unlike the population" in run(*pair, code=4).stdout  # it came with the encoder and knows no such textures
    run(*pair, *known, "--gallery", data, code=1)


def test_evaluate_verification(tmp_path, rng):
    data = many(tmp_path / "data", rng)
    found = json.loads(run("evaluate", "verification", data, "--size", "5,10", "--json").stdout)
    assert (found["sources"], found["judged_by"]) == (6, "others")
    assert set(found["sizes"]) == {"5", "10"}
    assert found["sizes"]["10"]["false_same"]["mean"] < 0.3
    assert "one source: different" in run("evaluate", "verification", data, "--shipped").stdout


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


@pytest.mark.parametrize("bad", ["empty", "text", "tiny", "bomb"])
def test_a_probe_without_usable_images_is_an_error(tmp_path, folder, bad):
    probe = tmp_path / "bad"
    probe.mkdir()
    content = {"text": b"text", "tiny": encoded(Image.new("RGB", (1, 1))), "bomb": png_header(30_000, 30_000)}
    if bad in content:
        (probe / "a.png").write_bytes(content[bad])
    answer = json.loads(run("attribute", probe, "--known", folder, "--json", code=1).stdout)
    assert answer["answer"] == "error"
    assert str(probe) in answer["reason"]


def test_of_several_probes_one_that_fails_shows_in_the_exit_code(tmp_path, rng, probe):
    data = many(tmp_path / "data", rng)
    (tmp_path / "empty").mkdir()
    done = run("attribute", probe, tmp_path / "empty", "--known", data, "--no-histories", "--json", code=1)
    assert [answer["answer"] for answer in json.loads(done.stdout)] == ["attributed", "error"]
    run("attribute", probe, probe, "--known", data, "--no-histories", code=0)


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path, folder, probe, monkeypatch):
    monkeypatch.setattr(ImageSet, "read", None)  # would be called first
    (tmp_path / "file").touch()
    for option in ("--report", "--log"):
        bad = tmp_path / "file" / "report.html"
        assert str(bad) in run("attribute", probe, "--known", folder, option, bad, code=1).stderr


def test_sources_are_removed(tmp_path, folder):
    gallery = tmp_path / "g.sqlite"
    run("enroll-all", folder, "--gallery", gallery, "--no-histories")
    run("remove", "fine", "--gallery", gallery)
    assert list(json.loads(run("sources", "--gallery", gallery, "--json").stdout)) == ["coarse", "middle"]
    assert "not enrolled" in run("remove", "fine", "--gallery", gallery, code=1).stderr
    assert "name" in run("enroll", "", folder / "fine", "--gallery", gallery, "--no-histories", code=1).stderr


def test_a_truncated_jpeg_among_good_images_is_left_out(tmp_path, rng, probe):
    data = many(tmp_path / "data", rng)
    (probe / "cut.jpg").write_bytes(encoded(Image.effect_noise((64, 64), 50), "JPEG")[:400])
    answer = json.loads(run("attribute", probe, "--known", data, "--json").stdout)
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


def test_evaluate(folder, tmp_path, monkeypatch):
    from genprint.evaluation.methods import classifier

    monkeypatch.setattr(classifier, "train", lambda network, *_: network.eval())  # learned peers take minutes
    arguments = ("evaluate", "attributability", folder, "--enrolled", 8, "--probe", "1,4", "--repeats", 2, "--json")
    assert "--real" in run(*arguments, "--method", "manifpt_rgb", code=1).stderr
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(1), 20))
    result = json.loads(run(*arguments, "--method", "all", "--real", tmp_path / "real.npz").stdout)
    assert set(result["methods"]) == set(METHODS)
    assert result["methods"]["marra"]["role"] == "peer"
    cell = result["methods"]["set_encoder"]["top1"]["4"]
    assert cell["low"] <= cell["mean"] <= cell["high"]
    assert cell["mean"] > 0.9  # grain differs by a factor of four


def test_generators(tmp_path):
    listed = json.loads(run("generators", "list", "--json").stdout)
    assert {row["name"] for row in listed} >= {"vae-conv-s0", "flow-wavelet-s0", "gan-dcgan-s1", "score-ddim-s0-ddim10"}
    run("generators", "sample", "vae-conv-s0", "-n", 3, "-o", tmp_path / "s")
    assert len(list((tmp_path / "s").glob("*.png"))) == 3
    assert "holds files already" in run("generators", "sample", "gan-dcgan-s0", "-o", tmp_path / "s", code=1).stderr
    assert len(list((tmp_path / "s").glob("*.png"))) == 3
    np.savez(tmp_path / "real.npz", images=textured(np.random.default_rng(0), 80))
    run("generators", "train", "vae-conv", tmp_path / "real.npz", "-o", tmp_path / "v", "--steps", 2)
    run("generators", "sample", tmp_path / "v", "-n", 2, "-o", tmp_path / "s2")
    run("generators", "sample", "nothing", code=1)
    run("generators", "train", "nothing", tmp_path / "real.npz", "-o", tmp_path / "n", code=1)
    run("generators", "train-all", tmp_path / "real.npz", "-o", tmp_path / "n", "--only", "nothing", code=1)
    assert not (tmp_path / "n").exists()


def test_sampling_all_gives_labelled_sources(tmp_path, monkeypatch):
    from genprint.generators import collection

    some = [collection.find(name) for name in ("vae-conv-s0", "vae-conv-s0-int8")]
    monkeypatch.setattr(collection, "shipped", lambda: some)
    run("generators", "sample", "all", "-n", 2, "-o", tmp_path)
    with (tmp_path / "sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["class"], row["parent"]) for row in rows] == [
        ("vae-conv-s0", "vae", ""), ("vae-conv-s0-int8", "vae", "vae-conv-s0")
    ]  # fmt: skip
    assert len(list((tmp_path / "vae-conv-s0-int8").glob("*.png"))) == 2
