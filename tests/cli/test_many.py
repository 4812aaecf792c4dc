"""Many probes, many sources: how they are taken, what is left out, what names may do, and what is told of sizes."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from genprint.cli import loading
from genprint.encoder.encoder import SetEncoder
from tests.cli.conftest import run
from tests.conftest import textured

PLAIN = "--no-conditions"


def save(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_several_files_are_said_to_be_several_probes_or_one(folder, probe):
    files = sorted(probe.iterdir())[:3]
    asked = run("attribute", *files, "--known", folder, PLAIN, "--json")
    assert "3 image files: each is a probe of its own (--each image); --together takes them" in asked.stderr
    assert [answer["images"] for answer in json.loads(asked.stdout)] == [1, 1, 1]
    meant = run("attribute", *files, "--each", "image", "--known", folder, PLAIN, "--json")
    assert "a probe of its own" not in meant.stderr
    assert meant.stdout == asked.stdout
    one = json.loads(run("attribute", *files, "--together", "--known", folder, PLAIN, "--json", code=None).stdout)
    assert (one["images"], one["probe"]) == (3, str(probe))
    assert "give either" in run("attribute", *files, "--together", "--each", "image", "--known", folder, code=1).stderr


def test_every_image_of_a_folder_is_a_row_of_a_table(tmp_path, folder, probe):
    (probe / "notes\x1b[31m.txt").write_text("no image")
    table = tmp_path / "out" / "answers.csv"
    done = run("attribute", probe, "--each", "image", "--known", folder, PLAIN, "--csv", table, code=1)
    rows = rows_of(table)
    assert list(rows[0]) == [
        "probe", "answer", "source", "llr", "condition", "px", "images", "left_out", "c2pa", "files_say", "sha256",
        "reason",
    ]  # fmt: skip
    assert [row["probe"] for row in rows] == [
        *sorted(str(file) for file in probe.glob("*.png")), str(probe / "notes") + "\\x1b[31m.txt"
    ]  # fmt: skip
    *images, last = rows
    for row in images:
        assert (row["px"], row["images"], row["left_out"], row["c2pa"]) == ("32", "1", "0", "1 absent")
        assert row["answer"] in ("attributed", "unknown", "inconclusive")
        with open(row["probe"], "rb") as file:
            own = hashlib.file_digest(file, "sha256").hexdigest()
        assert row["sha256"] == hashlib.sha256(own.encode()).hexdigest()
    assert (last["answer"], last["images"], last["left_out"]) == ("error", "0", "1")
    assert last["reason"].endswith("\\x1b[31m.txt: not an image")
    assert done.stdout.startswith("13 probes: ")
    assert "1 error" in done.stdout
    assert done.stderr.count("not an image") == 1


def test_every_folder_is_a_row_of_a_table(tmp_path, rng, folder):
    for name, grain in (("one", 4.0), ("two", 60.0)):
        save(tmp_path / "asked" / name, textured(rng, 6, grain=grain))
    table = tmp_path / "answers.csv"
    run("attribute", tmp_path / "asked", "--each", "folder", "--known", folder, PLAIN, "--csv", table)
    rows = rows_of(table)
    assert [row["probe"] for row in rows] == [str(tmp_path / "asked" / name) for name in ("one", "two")]
    assert [row["images"] for row in rows] == ["6", "6"]
    (tmp_path / "asked" / "empty").mkdir()
    run("attribute", tmp_path / "asked", "--each", "folder", "--known", folder, PLAIN, "--csv", table, code=1)
    assert [row["answer"] == "error" for row in rows_of(table)] == [True, False, False]
    assert "there is no file in it" in run(
        "attribute", tmp_path / "asked" / "empty", "--each", "image", "--known", folder, PLAIN, code=1
    ).stderr  # fmt: skip


def test_every_image_of_an_array_is_a_probe(tmp_path, rng, folder):
    np.save(tmp_path / "a.npy", textured(rng, 3))
    asked = ("attribute", tmp_path / "a.npy", "--each", "image", "--known", folder, PLAIN, "--json")
    names = [one["probe"] for one in json.loads(run(*asked).stdout)]
    assert names == [f"{tmp_path / 'a.npy'}[{i}]" for i in range(3)]


def test_an_error_is_told_once(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    alone = run("attribute", tmp_path / "empty", "--known", folder, PLAIN, code=1)
    assert alone.stdout == ""
    assert alone.stderr.count("there is no file in it") == 1
    several = run("attribute", tmp_path / "empty", tmp_path / "empty", "--known", folder, PLAIN, code=1)
    assert several.stdout == f"{tmp_path / 'empty'}: error\n" * 2


@pytest.fixture
def some_unusable(folder):
    (folder / "empty").mkdir()
    (folder / "text").mkdir()
    (folder / "text" / "a.txt").write_text("no image")
    (folder / "damaged.zip").write_bytes(b"no archive")
    return folder


UNUSABLE = {
    "damaged": "damaged.zip: cannot be read as an archive",
    "empty": "there is no file in it",
    "text": "none of 1 file can be used (a.txt: not an image)",
}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("enroll-all",), 1),
        (("attribute", "PROBE", PLAIN, "--known"), None),
        (("families", "--support", "0", "-o", "OUT"), 0),
        (("evaluate", "attributability", "--method", "colour", "--enrolled", "8", "--probe", "4"), 0),
        (("audit",), None),
    ],
)
def test_what_cannot_be_used_among_sources_is_left_out_unless_strict(
    tmp_path, some_unusable, probe, monkeypatch, command, code
):
    monkeypatch.chdir(tmp_path)
    words = [{"PROBE": probe, "OUT": tmp_path / "out"}.get(word, word) for word in command]
    strict = run(*words, some_unusable, "--strict", code=1)
    assert not (tmp_path / "genprint-gallery.sqlite").exists() or not json.loads(run("sources", "--json").stdout)
    assert "damaged.zip" in strict.stderr
    done = run(*words, some_unusable, code=code)
    for name, reason in UNUSABLE.items():
        (line,) = (line for line in done.stderr.splitlines() if line.startswith(f"warning: left out the source {name}"))
        assert reason in line
    if command == ("enroll-all",):
        assert "3 sources, 72 images added; 3 sources enrolled" in done.stdout
        assert "3 sources left out: damaged, empty, text" in done.stdout
        assert list(json.loads(run("sources", "--json").stdout)) == ["coarse", "fine", "middle"]


def test_where_nothing_can_be_used_nothing_is_enrolled(tmp_path):
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
    told = run("enroll-all", tmp_path / "data", "--gallery", tmp_path / "g.sqlite", code=1)
    assert "none of 2 sources can be used" in told.stderr


def test_enrolling_that_was_stopped_goes_on_where_it_was(tmp_path, folder, monkeypatch):
    gallery = tmp_path / "g.sqlite"
    made, features = [], SetEncoder._features

    def counted(encoder, images):
        if stopping and len(made) >= 48:
            raise KeyboardInterrupt
        made.extend(image.sha256 for image in images)
        return features(encoder, images)

    monkeypatch.setattr(SetEncoder, "_features", counted)
    stopping = True
    stopped = run("enroll-all", folder, "--gallery", gallery, code=130)
    assert "stopped: nothing was enrolled; called again, it goes on where it was" in stopped.stderr
    assert json.loads(run("sources", "--gallery", gallery, "--json").stdout) == {}
    assert (tmp_path / "g.sqlite.reading").exists()
    stopping = False
    assert "3 sources, 72 images added" in run("enroll-all", folder, "--gallery", gallery).stdout
    assert len(made) == len(set(made)) == 72  # none was looked at twice
    assert not list(tmp_path.glob("*.reading*"))


@pytest.mark.parametrize("name", ["mistyped.sqlite", "blank.sqlite"])
@pytest.mark.parametrize("command", [("attribute", "PROBE"), ("mixture", "PROBE"), ("families",)])
def test_a_gallery_with_nothing_in_it_is_told_before_a_model_is_loaded(tmp_path, probe, monkeypatch, command, name):
    (tmp_path / "blank.sqlite").touch()
    monkeypatch.setattr(loading, "load_model", None)
    words = [probe if word == "PROBE" else word for word in command]
    told = run(*words, "--gallery", tmp_path / name, code=1).stderr
    assert f"{name}: {'no such file' if name.startswith('mis') else 'nothing is enrolled in it'}; enroll" in told


def test_names_do_nothing_to_a_terminal(tmp_path, rng, folder, probe):
    shutil.move(folder / "fine", folder / "fi\x1b[31mne\nforged")
    (probe / "zero\x1b[31mX.png").write_bytes(b"")
    (probe / "new\nline.png").write_bytes(b"")
    page = tmp_path / "report.html"
    asked = tmp_path / "pro\x1bbe"
    shutil.move(probe, asked)
    said = [
        run("attribute", asked, "--known", folder, PLAIN, "--report", page, code=None),
        run("enroll-all", folder, "--gallery", tmp_path / "g.sqlite"),
        run("sources", "--gallery", tmp_path / "g.sqlite"),
        run("mixture", asked, "--known", folder, PLAIN, "-o", tmp_path / "whose.csv", code=None),
        run("attribute", asked / "zero\x1b[31mX.png", "--known", folder, PLAIN, code=1),
    ]
    texts = [one.stdout + one.stderr for one in said] + [page.read_text(), (tmp_path / "whose.csv").read_text()]
    for text in texts:
        assert "\x1b" not in text
        assert "\nforged" not in text
        assert "\nline.png" not in text
    assert r"zero\x1b[31mX.png: empty file" in texts[0]
    assert r"fi\x1b[31mne\nforged" in texts[2]
    assert r"zero\x1b[31mX.png" in page.read_text()


def test_sizes_that_differ_are_said_with_what_it_means(tmp_path, rng, data):
    mixed = tmp_path / "mixed"
    for side in (32, 64, 128):
        save(mixed / str(side), textured(rng, 4, side=side, grain=10))
    answer = json.loads(run("attribute", mixed, "--known", data, PLAIN, "--json", code=None).stdout)
    (said,) = answer["said"]
    assert said.startswith("The probe's images are of 32 to 128 px")
    large = run("attribute", mixed / "128", "--known", data, PLAIN, code=None).stdout
    assert "The probe's images (128 px) are larger than all enrolled ones (32 px)." in large
    assert json.loads(run("attribute", mixed / "32", "--known", data, PLAIN, "--json", code=None).stdout)["said"] == []


def test_one_is_one(tmp_path, folder):
    one = save(tmp_path / "one", [np.asarray(Image.open(folder / "fine" / "000.png"))[:, ::-1]])
    said = run("enroll", "one", one, "--gallery", tmp_path / "g.sqlite").stdout
    assert "one: 1 image added" in said
    assert "one\t1 image\t1 original, " in run("sources", "--gallery", tmp_path / "g.sqlite").stdout
    assert "1 image used" in run("attribute", one, "--known", folder, PLAIN, code=None).stdout


def test_stress_is_told_in_text_json_and_table(tmp_path, folder):
    for name, grain in (("one", 4.0), ("two", 60.0)):
        save(tmp_path / "asked" / name, textured(np.random.default_rng(1), 3, grain=grain))
    asked = ("attribute", tmp_path / "asked" / "one", "--known", folder, PLAIN)
    text = run(*asked, "--stress", code=None).stdout
    assert "JPEG 75" in text
    assert "Of 3 draws of 2 images of the probe: " in text
    assert "Not asked: half size (images of 32 px are too small for it)." in text
    assert "What to expect: too few to say." in text
    plain = run(*asked, code=None).stdout
    assert "JPEG 75" not in plain
    assert "--report or --stress counts it" in plain  # of a gallery in no file, nothing is kept
    answer = json.loads(run(*asked, "--stress", "--json", code=None).stdout)
    assert [one["name"] for one in answer["stress"]["deliveries"]][:3] == ["JPEG 90", "JPEG 75", "WebP 80"]
    assert answer["expected"]["sources"] == 3
    assert json.loads(run(*asked, "--json", code=None).stdout)["stress"] is None
    table = tmp_path / "answers.csv"
    run("attribute", tmp_path / "asked", "--each", "folder", "--known", folder, PLAIN, "--stress", "--csv", table)
    first, second = rows_of(table)
    assert first["stress"] == " ".join(answer["stress"]["said"])
    assert "Of 3 draws of 2 images of the probe: " in second["stress"]
