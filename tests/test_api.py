"""Paths in, results out: the questions asked from Python, of whatever holds images."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import genprint
from genprint import answering, api
from genprint.answers.results import Attribution
from genprint.cli.app import app
from genprint.errors import GenprintError
from genprint.gallery.enrolled import Enrolled
from genprint.gallery.store import GalleryError, NotEnough
from genprint.images.sets import ImageSet, ImageSetError
from genprint.model import Model
from genprint.report.record import known_files
from tests.conftest import textured

GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0, "e": 70.0}


@pytest.fixture(scope="module")
def pixels():
    """Images of five sources, and of a probe of c."""
    rng = np.random.default_rng(1)
    return {
        **{name: textured(rng, 16, grain=grain) for name, grain in GRAINS.items()},
        "probe": textured(rng, 8, grain=GRAINS["c"]),
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory, pixels) -> Path:
    """The same as files: the folder ``known`` of the sources, and the folder ``probe``."""
    root = tmp_path_factory.mktemp("api")
    for name, own in pixels.items():
        folder = root / name if name == "probe" else root / "known" / name
        folder.mkdir(parents=True)
        for i, image in enumerate(own):
            Image.fromarray(image).save(folder / f"{i:02d}.png")
    return root


@pytest.fixture(scope="module")
def gallery(root, small_model) -> api.Gallery:
    """The sources, enrolled in memory."""
    made = api.Gallery(model=small_model)
    made.enroll(root / "known", originals=False)
    return made


@pytest.fixture(scope="module")
def answer(gallery, root) -> Attribution:
    return gallery.attribute(root / "probe")


def same(one, other):
    """Two attributions as they come from the same pixels in another form.

    Digests, and so the order of images in resampling, are of files or of pixels: p and intervals may differ a little.
    """
    assert (one.decision, one.source, one.images, one.condition) == (
        other.decision, other.source, other.images, other.condition
    )  # fmt: skip
    found = ({c.source: (c.images, c.raw_llr, c.posterior) for c in a.evidence.candidates} for a in (one, other))
    first, second = found
    assert list(first) == list(second)
    for name in first:
        assert first[name] == pytest.approx(second[name], rel=1e-4, abs=1e-4)
    assert one.evidence.p == pytest.approx(other.evidence.p, abs=0.1)
    assert one.llr == pytest.approx(other.llr, abs=0.2)


FORMS = {
    "path": lambda root, pixels: root / "probe",
    "path as text": lambda root, pixels: str(root / "probe"),
    "paths": lambda root, pixels: sorted((root / "probe").iterdir()),
    "image set": lambda root, pixels: ImageSet.read(root / "probe"),
    "array": lambda root, pixels: pixels["probe"],
    "arrays": lambda root, pixels: list(pixels["probe"]),
    "Pillow images": lambda root, pixels: [Image.fromarray(image) for image in pixels["probe"]],
    "tensor": lambda root, pixels: torch.from_numpy(pixels["probe"]).permute(0, 3, 1, 2).float() / 255,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_probe_is_whatever_holds_images(gallery, answer, root, pixels, form):
    asked = gallery.attribute(FORMS[form](root, pixels))
    same(asked, answer)
    if form in ("path as text", "paths", "image set"):  # the same files
        assert replace(asked, probe="probe") == answer


def test_it_is_attributed(answer):
    assert (answer.decision, answer.source, answer.condition) == ("attributed", "c", "original")
    assert answer.llr == answer.evidence.ratio.llr > 0
    assert answer.evidence.candidates[0].source == "c"
    assert answer.verdict.startswith("probe: attributed to c")
    assert answer.left_out == ()


@pytest.fixture(scope="module")
def in_a_file(root, small_model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "g.sqlite"
    api.Gallery(path, small_model).enroll(root / "known", originals=False)
    return path


KNOWN = {
    "folder": lambda root, pixels, path, model: root / "known",
    "image sets": lambda root, pixels, path, model: genprint.read_sources(root / "known"),
    "mapping of paths": lambda root, pixels, path, model: {name: root / "known" / name for name in GRAINS},
    "mapping of arrays": lambda root, pixels, path, model: {name: pixels[name] for name in GRAINS},
    "gallery file": lambda root, pixels, path, model: path,
    "gallery": lambda root, pixels, path, model: api.open(path, model),
}


@pytest.mark.parametrize("form", KNOWN)
def test_known_sources_come_in_many_forms(answer, root, pixels, in_a_file, small_model, form):
    known = KNOWN[form](root, pixels, in_a_file, small_model)
    asked = genprint.attribute(root / "probe", known, model=small_model, conditions=False)
    same(asked, answer)
    if form != "mapping of arrays":  # the same files
        assert asked == answer


@pytest.mark.parametrize("known", [["a", "b"], 3, [], [np.zeros((2, 32, 32, 3), np.uint8)]])
def test_what_known_sources_cannot_be(known, small_model, pixels):
    with pytest.raises(ValueError, match="known sources are a folder with a sub-folder for each"):
        genprint.attribute(pixels["probe"], known, model=small_model)


def test_two_sets_of_one_name_are_refused(small_model, pixels):
    twins = [ImageSet.of(pixels[name], "twin") for name in "ab"]
    with pytest.raises(ValueError, match="named alike"):
        api.Gallery(model=small_model).enroll(twins)


def test_a_set_is_none_of_these(gallery, tmp_path):
    for wrong in (3, [], tmp_path / "nothing", np.zeros((2, 32, 32, 4), np.uint8), torch.full((1, 3, 32, 32), 2.0)):
        with pytest.raises(ImageSetError):
            gallery.attribute(wrong)


def test_the_shipped_model_is_the_default(pixels):
    answer = genprint.attribute(pixels["probe"][:4], {name: pixels[name][:6] for name in "ace"}, conditions=False)
    assert answer.evidence.candidates[0].source == "c"
    assert answer.asked.model.identity == genprint.load().identity


def test_a_missing_gallery_is_told_before_a_model_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(Model, "load", None)  # would be called
    for ask in (lambda path: genprint.open(path), lambda path: genprint.attribute(tmp_path, known=path)):
        with pytest.raises(GalleryError, match=r"none\.sqlite: no such file; enroll sources first"):
            ask(tmp_path / "none.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_gallery_of_another_model_is_refused(in_a_file):
    with pytest.raises(GalleryError, match="enrolled with another model"):
        genprint.open(in_a_file)


@pytest.fixture
def made(monkeypatch):
    """How often the sources were compared among themselves."""
    count, make = [], answering.GalleryIdentifier

    def counted(*arguments):
        count.append(arguments)
        return make(*arguments)

    monkeypatch.setattr(answering, "GalleryIdentifier", counted)
    return count


def test_thresholds_are_worked_out_once_until_something_is_enrolled(root, small_model, pixels, made, monkeypatch):
    cut, upper = [], Enrolled._upper_threshold
    monkeypatch.setattr(Enrolled, "_upper_threshold", lambda self, *key: cut.append(key) or upper(self, *key))
    gallery = api.Gallery(model=small_model)
    gallery.enroll(root / "known", originals=False)
    first, again = gallery.attribute(pixels["probe"]), gallery.attribute(pixels["probe"])
    assert first == again
    assert len(made) == len(cut) == 1
    gallery.attribute(pixels["probe"], rate=0.3)
    assert len(made) == 2  # another question
    gallery.enroll(pixels["a"][:3] // 2, "f", originals=False)
    asked = gallery.attribute(pixels["probe"])
    assert len(made) == 3
    assert len(asked.evidence.candidates) == 6
    gallery.remove("f")
    assert gallery.attribute(pixels["probe"]) == first


def test_what_was_worked_out_is_shared_by_connections(in_a_file, small_model, pixels, made):
    derived = api.Derived()
    one, other = (api.Gallery(in_a_file, small_model, derived) for _ in range(2))
    assert one.attribute(pixels["probe"]) == other.attribute(pixels["probe"])
    assert len(made) == 1
    api.Gallery(in_a_file, small_model).attribute(pixels["probe"])
    assert len(made) == 2


def test_derived_keeps_until_the_state_changes():
    derived, calls = api.Derived(), []
    for state in ("1", "1", "2", "2"):
        derived.keep(state, "x", lambda state=state: calls.append(state))
    assert calls == ["1", "2"]
    with pytest.raises(ZeroDivisionError):
        derived.keep("2", "y", lambda: 1 / 0)
    assert derived.keep("2", "y", lambda: 3) == derived.keep("2", "y", lambda: 4) == 3


def test_enrolling_says_what_came_of_it(small_model, pixels, tmp_path):
    gallery = api.Gallery(model=small_model)
    assert gallery.enroll(pixels["a"], "a", originals=False) == [api.Added("a", 16, ())]
    assert gallery.enroll(pixels["a"], "a", originals=False) == [api.Added("a", 0, ())]
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(pixels["b"][0]).save(tmp_path / "image.png")
    (added,) = gallery.enroll(tmp_path, "b", originals=False)
    assert (added.images, [left.reason for left in added.left_out]) == (1, ["not an image"])
    assert gallery.counts() == {"a": 16, "b": 1}
    with pytest.raises(GenprintError, match="a source needs a name"):
        gallery.enroll(pixels["a"], "")


def test_all_sources_are_enrolled_or_none(small_model, pixels, tmp_path):
    (tmp_path / "empty").mkdir()
    gallery = api.Gallery(model=small_model)
    with pytest.raises(ImageSetError, match="empty"):
        gallery.enroll({"a": pixels["a"], "empty": tmp_path / "empty"}, originals=False)
    assert len(gallery) == 0


def test_a_model_enrolls(small_model_folder, pixels, tmp_path):
    model = genprint.load(small_model_folder)
    kept = model.enroll({"a": pixels["a"][:2]}, save=tmp_path / "g.sqlite")
    assert kept.lacking_originals() == []
    assert genprint.open(tmp_path / "g.sqlite", model).originals()["a"][0] == 2
    assert genprint.open(tmp_path / "g.sqlite", model).counts() == {"a": 2}
    in_memory = model.enroll({"a": pixels["a"][:2]}, originals=False)
    assert in_memory.lacking_originals() == ["a"]


def test_only_a_folder_with_all_sources_is_their_origin(root, small_model, pixels):
    gallery = api.Gallery(model=small_model)
    gallery.enroll(root / "known", originals=False)
    assert gallery.origin == str((root / "known").resolve())
    gallery.enroll(pixels["probe"], "probe", originals=False)
    assert gallery.origin is None
    one = api.Gallery(model=small_model)
    one.enroll(root / "known" / "a", "a", originals=False)
    assert one.origin is None


def test_reports_know_the_files_of_what_is_enrolled_now(small_model, pixels, tmp_path):
    for i, image in enumerate(pixels["b"]):
        Image.fromarray(image).save(tmp_path / f"{i}.{'png' if i < 8 else 'bmp'}")
    gallery = api.Gallery(model=small_model)
    for kind in ("png", "bmp"):
        gallery.enroll(sorted(tmp_path.glob(f"*.{kind}")), "b", originals=False)
    gallery.enroll(pixels["a"], "a", originals=False)
    gallery.enroll(pixels["c"], "gone", originals=False)
    gallery.remove("gone")
    files = known_files(gallery.attribute(pixels["probe"]).asked.sources)
    assert {name: sum(one.facts.values()) for name, one in files.items()} == {"a": 16, "b": 16}
    assert {fact.split()[0] for fact in files["b"].facts} == {"PNG", "BMP"}


def test_an_empty_gallery_answers_nothing(small_model, pixels):
    gallery = api.Gallery(model=small_model)
    for ask in (
        lambda: gallery.attribute(pixels["probe"]),
        lambda: gallery.families(),
        lambda: gallery.verify(pixels["a"], pixels["b"]),
    ):
        with pytest.raises(NotEnough):
            ask()


def test_verify_by_known_sources_and_by_the_model(gallery, root, pixels, small_model):
    same_source = genprint.verify(pixels["a"][:8], pixels["a"][8:], population=root / "known", model=small_model,
                                  conditions=False)  # fmt: skip
    assert (same_source.decision, same_source.sources) == ("same", 5)
    assert same_source.population == f"5 sources of {(root / 'known').resolve()}"
    assert (same_source.left, same_source.right) == ("left", "right")
    other = gallery.verify(pixels["a"], root / "known" / "e", conditions=False)
    assert (other.decision, other.right) == ("different", "e")
    unlike = genprint.verify(pixels["a"][:8], pixels["a"][8:], model=small_model)
    assert (unlike.decision, unlike.population, unlike.sources) == ("inconclusive", "golden images", 9)
    with pytest.raises(ImageSetError, match="8 images in both"):
        gallery.verify(pixels["probe"], pixels["probe"])


def test_mixture(gallery, root, pixels, small_model):
    rng = np.random.default_rng(2)
    mixed = np.concatenate([textured(rng, 10, grain=GRAINS["a"]), textured(rng, 10, grain=GRAINS["e"])])
    found = gallery.mixture(mixed)
    assert found.decision == "mixed"
    assert {share.source for share in found.shares if share.share > 0.3} == {"a", "e"}
    assert genprint.mixture(mixed, root / "known", model=small_model, conditions=False) == found


def test_lineage(pixels, small_model):
    child = textured(np.random.default_rng(3), 12, grain=GRAINS["c"])
    found = genprint.lineage(child, pixels["c"], [pixels["a"], pixels["e"]], model=small_model)
    assert (found.decision, set(found.others)) == ("derived", {"apart 1", "apart 2"})
    with pytest.raises(ValueError, match="at least one other model"):
        genprint.lineage(child, pixels["c"], [], model=small_model)
    brighter = (pixels["c"].astype(int) + 1).clip(0, 255).astype(np.uint8)  # arrays: pairs by place
    paired = genprint.lineage(brighter, pixels["c"], [pixels["a"]], model=small_model, paired=True)
    assert (paired.decision, paired.followed.closely) == ("derived", True)
    with pytest.raises(ImageSetError, match="child and apart 1: 1 image without a partner"):
        genprint.lineage(brighter, pixels["c"], [pixels["a"][1:]], model=small_model, paired=True)


def test_families(gallery, root, small_model):
    tree = genprint.families(root / "known", model=small_model, support=2)
    assert set(tree.sources) == set(GRAINS)
    assert len(tree.support) == 4
    assert tree.newick() == gallery.families(support=2).newick()
    assert gallery.families() is gallery.families()
    assert len(gallery.families(groups=2).sources) == 2


def test_audit(root):
    found = genprint.audit(root / "known")
    assert found.sources == dict.fromkeys(GRAINS, 16)
    assert found.verdict


@pytest.fixture(scope="module")
def results(answer, gallery, pixels, root):
    return {
        "Attribution": answer,
        "Verification": gallery.verify(root / "probe", pixels["a"]),
        "Mixture": gallery.mixture(root / "probe"),
        "Lineage": genprint.lineage(pixels["b"], pixels["c"], [pixels["d"]], model=gallery.model),
        "FamilyTree": gallery.families(),
        "Audit": genprint.audit({name: pixels[name] for name in "ab"}),
    }


@pytest.mark.parametrize("kind", ["Attribution", "Verification", "Mixture", "Lineage", "FamilyTree", "Audit"])
def test_every_result_can_be_written_drawn_and_shown(results, kind, tmp_path):
    from genprint.report import figures

    result = results[kind]
    assert type(result).__name__ == kind
    assert json.loads(result.to_json()) == json.loads(json.dumps(result.to_dict()))
    result.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(result.to_json())
    assert result.verdict
    ax = figures.new_figure(4, 3).subplots()
    assert result.plot(ax) is ax
    assert ax.has_data() or ax.collections
    shown = result._repr_html_()
    assert re.match("<(p|svg|div|figure)", shown.strip()), shown[:80]
    result.save(str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    with pytest.raises(ValueError, match=r"saved as \.html or \.json"):
        result.save(tmp_path / "r.txt")


def test_a_saved_attribution_is_made_again(root, small_model_folder, tmp_path):
    model = api.load(small_model_folder)
    genprint.attribute(root / "probe", root / "known", model=model, conditions=False).save(tmp_path / "r.html")
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["attribution"]["condition"] == "original"
    assert record["inputs"] == {
        "probe": str((root / "probe").resolve()), "known": str((root / "known").resolve()), "gallery": None,
        "model": str(small_model_folder.resolve()), "rate": 0.05, "conditions": False,
        "trust": None, "stress": False, "thorough": False,
    }  # fmt: skip
    done = CliRunner().invoke(app, ["report", "reproduce", str(tmp_path / "r.json"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["same"]
    assert str(root / "probe") in (tmp_path / "r.html").read_text()


def test_the_record_of_an_array_names_no_path_of_that_name(gallery, pixels, tmp_path, monkeypatch):
    (tmp_path / "probe").mkdir()
    monkeypatch.chdir(tmp_path)
    assert gallery.attribute(pixels["probe"]).asked.inputs["probe"] is None


def test_progress_is_told_of_every_image(root, small_model):
    told = []
    genprint.attribute(root / "probe", root / "known", model=small_model, conditions=False, progress=told.append)
    assert sum(told) == 5 * 16 + 8


def test_a_pile_is_sorted_looked_at_and_enrolled(golden_images, tmp_path, small_model_folder, monkeypatch):
    """From files to a page and a gallery, by what sorts indeed."""
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))
    pile, groups = tmp_path / "pile", tmp_path / "groups"
    pile.mkdir()
    for name in ("vae-conv-s0", "gan-dcgan-s0"):
        for i, pixels in enumerate(golden_images[name][:15]):
            Image.fromarray(pixels).save(pile / f"{name}-{i}.png")
    options = ["--page", str(tmp_path / "p.html"), "--folders", str(groups), "--json"]
    done = CliRunner().invoke(app, ["sort", str(pile), *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    written = {folder.name: len(list(folder.iterdir())) for folder in groups.iterdir()}
    assert written == {group["name"]: len(group["images"]) for group in found["groups"]}
    assert sum(written.values()) + len(found["strays"]) == 30
    assert len(written) >= 2
    assert (tmp_path / "p.html").read_text().count('<img src="data:image/jpeg') == 30
    done = CliRunner().invoke(app, ["enroll-all", str(groups), "--gallery", str(tmp_path / "g.sqlite")])
    assert done.exit_code == 0, done.output
    assert genprint.open(tmp_path / "g.sqlite").counts() == written
