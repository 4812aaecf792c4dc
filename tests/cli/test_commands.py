"""Commands, from what is typed to what is printed and written."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.cli import loading
from genprint.cli.app import app
from genprint.fingerprints.conditions import ORIGINAL
from genprint.gallery.store import GalleryStore
from genprint.generators import collection
from genprint.images.sets import ImageSet
from tests.answers.test_audit import write
from tests.cli.conftest import run
from tests.conftest import encoded, textured
from tests.images.test_manifest import sign


def test_an_audit_says_what_files_differ_in(tmp_path, rng):
    write(tmp_path / "data", "a", textured(rng, 30))
    write(tmp_path / "data", "b", textured(rng, 30), "jpg")
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "data")])
    assert done.exit_code == 3
    assert "Files differ by source in format, compression" in done.stdout
    whole = CliRunner().invoke(app, ["audit", str(tmp_path / "data"), "--json"])
    assert "format" in json.loads(whole.stdout)["warnings"]


def test_one_source_cannot_be_audited(tmp_path, rng):
    write(tmp_path / "data", "a", textured(rng, 3))
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "data")])
    assert done.exit_code == 1
    assert "two sources or more" in done.stderr


def test_too_few_images_are_no_clean_folder(tmp_path, rng):
    write(tmp_path / "data", "a", textured(rng, 3))
    write(tmp_path / "data", "b", textured(rng, 3), "jpg")
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "data")])
    assert done.exit_code == 4
    assert "too few images to tell any fact" in done.stdout


def test_families_of_a_gallery(tmp_path, rng, small_model):
    store = GalleryStore(tmp_path / "g.sqlite", small_model)
    for i, grain in enumerate((2.0, 2.0, 30.0, 30.0)):
        images = ImageSet.from_array(textured(rng, 8, grain=grain), "x")
        store.add(f"s{i}", small_model.fingerprint(images))
    where = ["families", "--gallery", str(tmp_path / "g.sqlite"), "--json", "-o"]
    whole = CliRunner().invoke(app, [*where, str(tmp_path / "whole")])
    assert whole.exit_code == 0, whole.output
    assert json.loads(whole.stdout)["sources"] == ["s0", "s1", "s2", "s3"]
    groups = CliRunner().invoke(app, [*where, str(tmp_path / "groups"), "--groups", "2"])
    assert groups.exit_code == 0, groups.output
    rows = dict(csv.reader((tmp_path / "groups" / "groups.csv").open()))
    assert rows["s0"] == rows["s1"] != rows["s2"] == rows["s3"]
    assert set(json.loads(groups.stdout)["sources"]) == {rows["s0"], rows["s2"]}


def test_a_quantised_generator_is_derived(tmp_path, with_shipped):
    for name in ("gan-dcgan-s0", "gan-dcgan-s1", "gan-dcgan-s0-int8"):
        images = collection.sample(collection.load(collection.find(name))[0], name, 60)
        np.save(tmp_path / f"{name}.npy", images)
    paths = {name: str(tmp_path / f"gan-dcgan-{name}.npy") for name in ("s0", "s1", "s0-int8")}
    run = CliRunner().invoke
    done = run(app, ["compare", paths["s0-int8"], paths["s0"], "--apart", paths["s1"], "--json"])
    assert (done.exit_code, json.loads(done.stdout)["decision"]) == (0, "derived")
    assert run(app, ["compare", paths["s0-int8"], paths["s1"], "--apart", paths["s0"]]).exit_code == 3
    assert run(app, ["compare", paths["s0"], paths["s0"], "--apart", paths["s1"]]).exit_code == 1


def test_a_mixture_is_written_image_by_image(folder, tmp_path, rng):
    mixed = tmp_path / "pile"
    mixed.mkdir()
    for name, n in {"fine": 12, "coarse": 8}.items():
        for i, pixels in enumerate(textured(rng, n, grain={"fine": 4.0, "coarse": 60.0}[name])):
            Image.fromarray(pixels).save(mixed / f"{name}{i}.png")
    arguments = ["mixture", str(mixed), "--known", str(folder), "--json", "-o", str(tmp_path / "whose.csv")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    shares = {share["source"]: share["share"] for share in json.loads(done.stdout)["shares"]}
    assert shares["fine"] == pytest.approx(0.6, abs=0.1)
    rows = list(csv.DictReader((tmp_path / "whose.csv").open()))
    assert np.mean([row["image"].split("/")[-1].startswith(row["source"]) for row in rows]) > 0.9


def test_fitting_leaves_no_checkpoint_behind(tmp_path, folder):
    done = CliRunner().invoke(app, ["fit", str(folder), "-o", str(tmp_path / "out"), "--steps", "2"])
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.glob("*.safetensors")] == []


def test_existence_writes_json_pictures_and_a_summary_by_class(folder, tmp_path):
    (folder / "sources.csv").write_text("source,class\nfine,gan\nmiddle,gan\ncoarse,flow\n")
    command = ["evaluate", "existence", str(folder), "--size", "4", "--method", "spectrum", "--json"]
    result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    spectrum = json.loads(result.stdout)["methods"]["spectrum"]
    assert set(spectrum["sizes"]["4"]["classes"]) == {"flow", "gan", "all"}
    assert spectrum["sizes"]["4"]["sources"]["coarse"]["sets"] == 6
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "existence.json", "fine.png", "middle.png", "coarse.png"
    }  # fmt: skip
    (folder / "sources.csv").write_text("name\nfine\n")
    wrong = CliRunner().invoke(app, ["evaluate", "existence", str(folder), "--method", "colour"])
    assert wrong.exit_code == 1
    assert "sources.csv" in wrong.output


def test_a_pile_is_fingerprinted(pile, tmp_path, small_model):
    output = tmp_path / "out" / "fingerprints.npz"
    done = CliRunner().invoke(app, ["fingerprint", str(pile), "-o", str(output), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"a": 21, "b": 12, "c": 5, "d": 6}
    with np.load(output, allow_pickle=False) as file:
        assert list(file["sources"]) == list("abcd")
        assert file["vectors"].shape == (4, 96)
        assert str(file["extractor"]) == small_model.fingerprinter.extractor_id
    assert CliRunner().invoke(app, ["fingerprint", str(pile), "-o", str(output), "--gpu"]).exit_code == 1
    rows = list(csv.DictReader(output.with_suffix(".left-out.csv").open()))
    assert [Path(row["image"]).name for row in rows] == ["05.png", "22.png"]


def test_commands_use_the_cache(folder, tmp_path):
    path = tmp_path / "deep" / "c.sqlite"
    command = ["--cache", str(path), "families", str(folder), "--support", "0", "-o", str(tmp_path / "out"), "--json"]
    try:
        first, again = (CliRunner().invoke(app, command) for _ in range(2))
    finally:
        loading.use_cache(None)
    assert first.exit_code == again.exit_code == 0, first.output
    assert first.stdout == again.stdout
    assert path.exists()


def test_a_folder_of_sources_is_enrolled(tmp_path, folder, small_model):
    command = ["enroll-all", str(folder), "--gallery", str(tmp_path / "g.sqlite"), "--no-originals"]
    assert "3 sources, 72 images added" in CliRunner().invoke(app, command).stdout
    assert GalleryStore(tmp_path / "g.sqlite", small_model).counts() == {"coarse": 24, "fine": 24, "middle": 24}


def test_the_report_and_the_audit_tell(signer, rng, tmp_path):
    for name, grain in (("a", 3.0), ("b", 9.0), ("c", 30.0)):
        (tmp_path / "known" / name).mkdir(parents=True)
        for i, pixels in enumerate(textured(rng, 12, grain=grain)):
            content = encoded(Image.fromarray(pixels))
            content = sign(signer, content) if name == "b" else content
            (tmp_path / "known" / name / f"{i}.png").write_bytes(content)
    (tmp_path / "probe").mkdir()
    for i, pixels in enumerate(textured(rng, 4, grain=9.0)):
        (tmp_path / "probe" / f"{i}.png").write_bytes(sign(signer, encoded(Image.fromarray(pixels))))
    page = tmp_path / "report.html"
    command = ["attribute", tmp_path / "probe", "--known", tmp_path / "known", "--no-conditions", "--report", page]
    CliRunner().invoke(app, list(map(str, command)))
    channel = json.loads(page.with_suffix(".json").read_text())["channels"]["what the files say"]
    assert channel["manifests"]["valid, not trusted"] == 4
    (sentence, _) = channel["said"]
    assert sentence.startswith("4 of 4 files have a C2PA manifest: valid, not trusted; made by a made-up model; signed")
    assert "signed by Makers &amp; &lt;Sons&gt;" in page.read_text()
    assert "are only those of b" in page.read_text()  # that may be why
    found = json.loads(CliRunner().invoke(app, ["audit", str(tmp_path / "known"), "--json"]).stdout)
    (metadata,) = (finding for finding in found["findings"] if finding["fact"] == "metadata")
    assert metadata["warning"], metadata


@pytest.mark.slow
def test_the_command_line_says_what_the_probe_went_through(tmp_path, golden_images, with_shipped):
    for name in ("gan-dcgan-s0", "gan-dcgan-s1", "vae-conv-s0"):
        (tmp_path / "known" / name).mkdir(parents=True)
        for i, pixels in enumerate(golden_images[name][:16]):
            Image.fromarray(pixels).save(tmp_path / "known" / name / f"{i}.png")
    (tmp_path / "probe").mkdir()
    for i, pixels in enumerate(golden_images["gan-dcgan-s0"][16:]):
        Image.fromarray(pixels).save(tmp_path / "probe" / f"{i}.jpg", quality=70)

    def ask(*arguments):
        return CliRunner().invoke(app, [str(part) for part in arguments]).stdout

    gallery = tmp_path / "g.sqlite"
    ask("enroll-all", tmp_path / "known", "--gallery", gallery)
    question = ("attribute", tmp_path / "probe", "--gallery", gallery)
    assert "after JPEG 70" in ask(*question, "--report", tmp_path / "r.html")
    answer = json.loads((tmp_path / "r.json").read_text())["attribution"]
    assert (answer["condition"], answer["evidence"]["candidates"][0]["source"]) == ("JPEG 70", "gan-dcgan-s0")
    assert "after JPEG 70" in (tmp_path / "r.html").read_text()
    assert json.loads(ask(*question, "--json", "--no-conditions"))["condition"] == ORIGINAL


def test_calibration_needs_four_sources(folder, tmp_path, rng):
    arguments = ["evaluate", "calibration", str(folder), "--enrolled", "12", "--size", "4", "--repeats", "1", "--json"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "4 sources or more" in refused.stderr
    for grain in (5.0, 20.0, 60.0):
        write(folder, f"grain {grain:g}", textured(rng, 24, grain=grain))
    done = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout)["sizes"]["4"]
    assert row["cllr_min"] <= row["cllr"]["mean"] + 1e-9
    assert (tmp_path / "out" / "calibration-4.png").exists()


@pytest.fixture
def labelled(folder):
    (folder / "sources.csv").write_text("source,class,architecture\nfine,a,x\nmiddle,a,y\ncoarse,b,z\n")
    return folder


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["stability", "--size", "4", "--method", "spectrum"], "4"),
        (["open-set", "--size", "4", "--enrolled", "8", "--method", "covariance"], "4"),
        (["open-set", "--size", "4", "--enrolled", "8", "--method", "colour", "--unknown", "class"], "4"),
        (["robustness", "--size", "4", "--enrolled", "8", "--method", "covariance", "--repeats", "1"], "JPEG 90"),
        (["families", "--label", "class", "--linkage", "average,ward", "--method", "covariance"], "class, ward"),
    ],
)
def test_commands_answer_in_json(labelled, command, key):
    answer = CliRunner().invoke(app, ["evaluate", command[0], str(labelled), *command[1:], "--json"])
    assert answer.exit_code == 0, answer.output
    (method,) = json.loads(answer.stdout)["methods"].values()
    assert key in method["results"]
    assert method["role"] in ("peer", "control")


def test_a_label_that_is_not_there_is_told(labelled):
    result = CliRunner().invoke(app, ["evaluate", "families", str(labelled), "--label", "colour", "--method", "colour"])
    assert result.exit_code == 1
    assert "needs columns colour" in result.output


@pytest.mark.parametrize("command", ["attribute", "enroll-all"])
def test_old_options_are_taken_and_warned_of(monkeypatch, capsys, command):
    from genprint.cli.app import main

    monkeypatch.setattr("sys.argv", ["genprint", command, "--no-histories", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert "--no-histories is --no-" in capsys.readouterr().err
    assert ended.value.code == 0


def test_a_device_that_is_not_there_is_one_line(folder, tmp_path):
    for command in (("fingerprint", folder, "-o", tmp_path / "f.npz"), ("enroll-all", folder)):
        said = run("--device", "cuda:77", *command, code=1).stderr
        assert "device cuda:77: this machine has no CUDA device; leave it (--device, GENPRINT_DEVICE) out" in said
