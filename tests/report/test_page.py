"""Pages: each holds all it shows, asks nobody, and can be read on a phone."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import genprint.report
from genprint import api
from genprint.answers.audit import audit
from genprint.answers.lineage import lineage
from genprint.answers.results import ATTRIBUTED, Attribution, Candidate, Evidence
from genprint.images.sets import ImageSet
from genprint.report.page import case, render
from genprint.report.templates import fill
from genprint.scoring.likelihood_ratio import LikelihoodRatio
from tests.browser import browser, in_browser
from tests.conftest import textured
from tests.report.conftest import GRAINS

__all__ = ["browser"]
TEMPLATES = Path(genprint.report.__file__).parent / "templates"
#: What a page may refer to: pictures in itself.
OUTSIDE = re.compile(
    r"(?:src|href|action|poster|data|srcset)\s*=\s*['\"](?!data:)|url\((?!['\"]?data:)|@import|//[a-z]"
)


class Tags(HTMLParser):
    """What a page is made of: its tags, what each table is in, and that all are closed."""

    VOID = ("meta", "img", "link", "br", "input")

    def __init__(self, page: str):
        super().__init__()
        self.open, self.seen, self.around_tables, self.alts = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag == "table":
            self.around_tables.append(self.open[-1])
        if tag not in self.VOID:
            self.open.append((tag, dict(attributes).get("class")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag


def check(page):
    """What has to hold of every page."""
    assert page.startswith("<!doctype html>")
    assert not OUTSIDE.findall(re.sub(r'"data:[^"]*"', '"data:"', page))
    assert "<script" not in page
    found = Tags(page)
    assert found.open == []
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in found.seen
    assert ("html", {"lang": "en"}) in found.seen
    # Wide tables scroll in themselves, pictures shrink, long words break: nothing is wider than the screen.
    assert set(found.around_tables) <= {("div", "wide")}
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    assert ".wide { overflow-x: auto; }" in style
    assert "img { max-width: 100%;" in style
    assert "overflow-wrap: anywhere" in style
    assert not re.search(r"[^-]width: *[0-9]+(px|rem|em)", style)
    assert all(attributes.get("alt") for tag, attributes in found.seen if tag == "img")
    return found


@pytest.fixture(scope="module")
def gallery(world, small_model):
    made = api.Gallery(model=small_model)
    made.enroll(world / "known", originals=False)
    return made


@pytest.fixture(scope="module")
def results(world, gallery, small_model):
    """One of each kind of result."""
    answer = gallery.attribute(world / "probe")
    sets = [ImageSet.read(world / "known" / name) for name in GRAINS]
    fingerprints = list(gallery.fingerprints().values())
    return {
        "attribution": answer,
        "verification": gallery.verify(world / "probe", world / "known" / "a"),
        "mixture": gallery.mixture(world / "probe"),
        "lineage": lineage(small_model, answer.asked.probe, fingerprints[2], fingerprints[:1]),
        "families": gallery.families(),
        "audit": audit(sets, most=6),
    }


def test_the_page_holds_all_it_shows(world):
    page = (world / "out" / "report.html").read_text()
    for wanted in (
        "c made the images", "notes.txt", "Place in the family tree", "All known sources have files like",
        "Exchangeability test against the best candidate: p = 0.", "genprint report reproduce",
    ):  # fmt: skip
        assert wanted in page
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)
    assert "<script" not in page
    found = check(page)
    assert len([tag for tag, _ in found.seen if tag == "img"]) == 3


@pytest.mark.parametrize("kind", ["attribution", "verification", "mixture", "lineage", "families", "audit"])
def test_the_page_of_any_result(results, kind, tmp_path):
    result = results[kind]
    for page in (render(result), (result.save(tmp_path / "r.html"), (tmp_path / "r.html").read_text())[1]):
        check(page)
    assert result.verdict.split("(")[0].split(";")[0] in render(result).replace("&#39;", "'")
    assert "data:image/png;base64," in render(result)


def test_every_template_is_of_the_one_base():
    names = {path.name for path in TEMPLATES.glob("*.html")}
    assert names == {"base.html", "attribution.html", "demo.html", "result.html", "validation.html"}
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text()
        assert not OUTSIDE.findall(text.replace('src="{{ uri }}"', ""))
        if path.name != "base.html":
            assert text.startswith('{% extends "base.html" %}')
            assert not re.search("<table|<img|<style|<html|style=|width=|safe", text)


def test_the_page_of_the_demo():
    table = {"caption": "Probes", "columns": ["a"], "rows": {"a": ["1"]}, "classes": {("a", "a"): "hit"}}
    picture = "data:image/png;base64,"
    page = fill("demo.html", generators=2, enrolled=1, images_each=3, rate=0.5, tables=[table], tree=picture,
                newick="(a,b);", traces=picture)  # fmt: skip
    check(page)
    assert '<td class="hit">1</td>' in page


def test_names_are_text(small_model):
    evil = "<img src=x onerror=alert(1)> & \"'"
    ratio = LikelihoodRatio(evil, evil, 1.0, None, None, 2.0, 3, 2, {1: (1.0, None, None)})
    evidence = Evidence(1.0, 0.5, 0.25, 1, 0.5, (Candidate(evil, 3, 1.0, 1.0),), ratio)
    result = Attribution(evil, ATTRIBUTED, evil, 1.0, evil, 1, evil, evidence)
    for page in (render(result), result._repr_html_()):
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_a_failed_answer_has_a_page():
    from genprint.answers.results import failed

    check(render(failed("probe", "it cannot be read")))


def test_a_probe_of_one_image_has_no_interval_and_no_tree(gallery, rng):
    result = gallery.attribute(textured(rng, 1, grain=GRAINS["d"]))
    page, record = case(result, result.asked)
    check(page)
    assert "95 % interval" not in page
    assert "Place in the family tree" not in page
    assert record["attribution"]["evidence"]["ratio"]["low"] is None


def test_images_of_several_sizes_have_no_average(world, small_model, tmp_path, rng):
    stored = api.Gallery(tmp_path / "g.sqlite", small_model)
    stored.enroll(world / "known", originals=False)
    images = [*textured(rng, 2), *textured(rng, 2, side=40)]
    page, _ = case(result := stored.attribute(images), result.asked)
    assert "images are of different sizes" in page
    check(page)


def test_without_enough_sources_it_says_why_there_is_no_ratio(small_model, rng):
    gallery = api.Gallery(model=small_model)
    gallery.enroll({"a": textured(rng, 4), "b": textured(rng, 4, grain=50)}, originals=False)
    page, record = case(result := gallery.attribute(textured(rng, 3)), result.asked)
    assert "takes three enrolled sources or more" in page
    assert record["propositions"] is None
    check(page)


@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
def test_long_names_break(gallery, rng):
    page, _ = case(result := gallery.attribute(textured(rng, 2), "n" * 500), result.asked)
    check(page)
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    assert re.search("h1, p, code, li { overflow-wrap: anywhere; }", style)


def test_results_are_saved_as_pages_or_json_only(results, tmp_path):
    for name in ("r.pdf", "r"):
        with pytest.raises(ValueError, match=r"saved as \.html or \.json"):
            results["verification"].save(tmp_path / name)
    assert np.isfinite(results["verification"].evidence.similarity)


@in_browser
def test_pages_fit_a_phone_and_ask_nobody(results, browser, tmp_path):
    """Nothing is cut off at 390 px but what scrolls in its own place."""
    page = browser.new_page(viewport={"width": 390, "height": 844}, java_script_enabled=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    long = replace(results["attribution"], probe="p" * 200, reason="r" * 200)
    for name, result in {**results, "long": long}.items():
        result.save(tmp_path / f"{name}.html")
        page.goto((tmp_path / f"{name}.html").as_uri())
        wide = "document.documentElement.scrollWidth"
        assert page.evaluate(wide) <= 390, name
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0 && i.width <= 390)"), name
        assert page.locator("h1").inner_text()
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert len([url for url in asked if url.startswith("file")]) == 7
