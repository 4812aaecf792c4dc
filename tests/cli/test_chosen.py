"""Which model commands take where none is named, and what they say of it."""

import json

import pytest
from PIL import Image

import genprint
from genprint import api
from genprint.storage.files import canonical_digest
from tests.cli.conftest import run
from tests.conftest import textured

pytestmark = pytest.mark.usefixtures("both_shipped")
WARNING = "images of 64 px or less, which the model for pictures tells apart worse than the model for thumbnails"


def write(folder, rng, side, images=12, grain=5.0):
    folder.mkdir(parents=True)
    for i, pixels in enumerate(textured(rng, images, side, grain)):
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture
def known(tmp_path, rng):
    """Folders of known sources by the side of their images: three each."""
    for side in (32, 80):
        for i in range(3):
            write(tmp_path / str(side) / f"s{i}", rng, side, grain=3.0 * 3**i)
    return {side: tmp_path / str(side) for side in (32, 80)}


@pytest.fixture
def asked(tmp_path, rng):
    """Probes by side."""
    return {side: write(tmp_path / f"asked-{side}", rng, side, grain=9.0) for side in (32, 80)}


def model_lines(done):
    return [line for line in done.stderr.splitlines() if line.startswith("model: ")]


def chosen(done):
    """The model that a command said it took, if it did."""
    lines = model_lines(done)
    assert len(lines) < 2
    return lines[0].split(",")[0].removeprefix("model: ") if lines else None


@pytest.mark.parametrize(("side", "expected"), [(32, "thumbnails"), (80, "pictures")])
def test_a_new_gallery_is_made_with_the_model_for_its_images(tmp_path, known, asked, side, expected):
    gallery = tmp_path / "g.sqlite"
    done = run("enroll", "s0", known[side] / "s0", "-g", gallery)
    assert model_lines(done) == [f"model: {expected}, by the sizes of the images (--model takes another)"]
    assert genprint.open(gallery).model.name == expected
    assert chosen(run("enroll", "s1", known[112 - side] / "s1", "-g", gallery)) is None  # of the other kind
    done = run("attribute", asked[side], "-g", gallery, "--no-conditions", "--json", code=4)
    assert (chosen(done), WARNING in done.stderr) == (None, False)
    assert len(genprint.open(gallery)) == 2


def test_the_folder_of_known_sources_chooses(known, asked, tmp_path):
    for side, expected in ((32, "thumbnails"), (80, "pictures")):
        done = run("attribute", asked[80], asked[80], "--known", known[side], "--no-conditions", "--json")
        assert chosen(done) == expected
        assert all(answer["decision"] != "error" for answer in json.loads(done.stdout))
        assert chosen(run("enroll-all", known[side], "-g", tmp_path / f"{side}.sqlite")) == expected
        assert genprint.open(tmp_path / f"{side}.sqlite").model.name == expected


def test_a_model_that_is_named_is_taken_without_a_word(tmp_path, known, asked):
    gallery = tmp_path / "g.sqlite"
    done = run("enroll-all", known[80], "-g", gallery, "--model", "thumbnails")
    assert "model" not in done.stderr
    assert genprint.open(gallery).model.name == "thumbnails"
    refused = run("attribute", asked[80], "-g", gallery, "--model", "pictures", code=1)
    assert "enrolled with another model" in refused.stderr
    refused = run("enroll-all", known[80], "-g", gallery, "--model", "picture", code=1)
    assert "no shipped model (thumbnails, pictures)" in refused.stderr


def test_small_images_by_the_model_for_pictures_are_warned_of(tmp_path, known, asked):
    gallery = tmp_path / "g.sqlite"
    run("enroll-all", known[80], "-g", gallery)
    done = run("enroll", "icons", known[32] / "s0", "-g", gallery)
    assert done.stderr.startswith(f"warning: icons: {WARNING}\n")
    assert "warning: icons: images of 32 px, those of most sources 80 px." in done.stderr
    assert genprint.open(gallery).counts()["icons"] == 12
    for command in (["attribute", "--no-conditions"], ["mixture", "--no-conditions"]):
        done = run(*command[:1], asked[32], "-g", gallery, *command[1:], "--json", code=None)
        assert f"warning: {asked[32]}: {WARNING}" in done.stderr
        assert WARNING not in run(*command[:1], asked[80], "-g", gallery, *command[1:], "--json", code=None).stderr
    done = run("verify", asked[32], asked[80], "-g", gallery, "--no-conditions", code=None)
    assert done.stderr.count(WARNING) == 1


def test_mixed_sizes_are_of_the_model_for_thumbnails(tmp_path, known, rng):
    write(known[80] / "icons", rng, 32)
    done = run("enroll-all", known[80], "-g", tmp_path / "g.sqlite")
    assert chosen(done) == "thumbnails"
    assert chosen(run("enroll", "more", known[80] / "s0", "-g", tmp_path / "g.sqlite")) is None


@pytest.mark.parametrize(("side", "expected"), [(32, "thumbnails"), (80, "pictures")])
def test_other_commands_choose_likewise(tmp_path, known, asked, side, expected):
    one, two, three = (known[side] / f"s{i}" for i in range(3))
    commands = [
        ["verify", one, two],
        ["verify", one, asked[side], "--known", known[side], "--no-conditions"],
        ["mixture", asked[side], "--known", known[side], "--no-conditions"],
        ["lineage", one, two, "--apart", three],
        ["families", known[side], "-o", tmp_path / "tree", "--support", "0"],
        ["fingerprint", known[side], "-o", tmp_path / "f.npz"],
        ["evaluate", "attributability", known[side], "--enrolled", "6", "--probe", "2", "--repeats", "1"],
        ["evaluate", "stability", known[side], "--method", "set_encoder", "--size", "3"],
    ]
    for command in commands:
        assert chosen(run(*command, code=None)) == expected, command
        named = run(*command, "--model", "shipped:thumbnails", code=None)
        assert chosen(named) is None, command


def test_every_evaluation_chooses_by_its_data(known, monkeypatch):
    from genprint.cli.evaluate import answers, app, methods

    def stopped(model, sets=(), gallery=None):
        raise ValueError(f"{model} of {[images.name for images in sets]}")

    (known[80] / "sources.csv").write_text("source,class\ns0,a\ns1,a\ns2,b\n")
    for module in (answers, methods):
        monkeypatch.setattr(module, "load_model", stopped)
    names = [command.name for command in app.registered_commands if command.name not in ("real", "gallery")]
    assert len(names) > 8
    for name in names:
        assert "None of ['s0', 's1', 's2']" in run("evaluate", name, known[80], code=1).stderr, name
        assert "pictures of ['s0'" in run("evaluate", name, known[80], "--model", "pictures", code=1).stderr, name


def test_features_of_a_chosen_model_are_kept_in_the_cache(tmp_path, known):
    features = tmp_path / "cache.sqlite"
    command = ["--cache", features, "enroll-all", known[80]]
    try:
        run(*command, "-g", tmp_path / "g.sqlite")
        model = genprint.load("pictures").fingerprinter
        from genprint.fingerprints.cache import Cache

        digests = [image.sha256 for image in genprint.read_sources(known[80])[0]]
        assert all(row is not None for row in Cache(features).features(model.extractor_id, digests))
    finally:
        from genprint.cli.loading import use_cache

        use_cache(None)


@pytest.mark.parametrize("model", ["thumbnails", "pictures"])
def test_a_report_is_made_again_with_its_model(tmp_path, known, asked, model):
    page = tmp_path / "r.html"
    options = ["--known", known[80], "--no-conditions", "--model", model, "--report", page]
    run("attribute", asked[80], *options, code=None)
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["inputs"]["model"] == f"shipped:{model}"
    assert record["model"] == genprint.load(model).identity
    assert f"shipped:{model}" in page.read_text()
    done = run("report", "reproduce", tmp_path / "r.json")
    assert chosen(done) is None
    other = {"thumbnails": "pictures", "pictures": "thumbnails"}[model]
    assert "model: " in run("report", "reproduce", tmp_path / "r.json", "--model", other, code=3).stdout


def test_a_report_of_before_there_was_a_choice_is_made_again(tmp_path, known, asked):
    options = ["--known", known[80], "--no-conditions", "--model", "thumbnails", "--report", tmp_path / "r.html"]
    run("attribute", asked[80], *options, code=None)
    record = json.loads((tmp_path / "r.json").read_text())
    del record["sha256"]
    record["inputs"]["model"] = None
    (tmp_path / "old.json").write_text(json.dumps({**record, "sha256": canonical_digest(record)}))
    run("report", "reproduce", tmp_path / "old.json")
    api.load("thumbnails").enroll(known[80], save=tmp_path / "g.sqlite", originals=False)
    run("report", "reproduce", tmp_path / "old.json", "--gallery", tmp_path / "g.sqlite")


def test_the_service_takes_the_gallerys_model(tmp_path, known, monkeypatch):
    pytest.importorskip("uvicorn")
    from genprint.service import app

    taken = []

    def stopped(model, *_, **__):
        taken.append(model.name)
        raise ValueError("stopped")

    monkeypatch.setattr(app, "create_app", stopped)
    run("enroll-all", known[80], "-g", tmp_path / "g.sqlite")
    for more in ((tmp_path / "g.sqlite",), (tmp_path / "new",), (tmp_path / "new", "--model", "pictures")):
        assert "stopped" in run("serve", "--port", "0", "-g", *more, code=1).stderr
    assert taken == ["pictures", "thumbnails", "pictures"]


def test_reports_of_the_service_name_a_shipped_model(known, asked):
    pytest.importorskip("fastapi")
    from genprint.service.app import _report

    answer = genprint.attribute(asked[80], known[80], conditions=False)
    inputs = json.loads(_report(answer)["case"])["inputs"]
    assert (inputs["model"], inputs["known"], inputs["probe"]) == ("shipped:pictures", None, None)
