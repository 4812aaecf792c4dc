"""Sorting by the service and on its page. What sorts is a stand-in here; its own tests are elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest

from genprint import api
from genprint.api import Gallery
from genprint.service.app import create_app
from genprint.service.settings import Limits, Tokens
from tests.browser import browser, in_browser
from tests.service.test_page import visit
from tests.service.test_service import local, png, zipped
from tests.sorting import levels, sort_by_level

__all__ = ["browser", "visit"]
COUNTS = {20: 6, 100: 5, 180: 4, 140: 1}


@pytest.fixture(autouse=True)
def _by_level(monkeypatch):
    monkeypatch.setattr(api, "sort", sort_by_level, raising=False)


@pytest.fixture
def pile(rng):
    """Names, with folders, and contents of three sources, a stray, and what is no image."""
    found = [
        (f"in/{level}/{i}.png", png(pixels))
        for level, count in COUNTS.items()
        for i, pixels in enumerate(levels(rng, level, count))
    ]
    return [*found, ("in/notes.txt", b"no image")]


def sent(pile):
    return [("images", file) for file in pile]


def test_a_pile_is_sorted(tmp_path, small_model, pile):
    with local(create_app(small_model, tmp_path / "g.sqlite", Tokens(None))) as client:
        answer = client.post("/v1/sort", files=sent(pile)).json()
    assert [(group["name"], group["source"], len(group["images"])) for group in answer["groups"]] == [
        ("group 1", None, 6), ("group 2", None, 5), ("group 3", None, 4)
    ]  # fmt: skip
    assert {one["image"] for one in answer["groups"][0]["images"]} == {f"in/20/{i}.png" for i in range(6)}
    assert [one["image"] for one in answer["strays"]] == ["in/140/0.png"]
    assert answer["left_out"] == [{"name": "in/notes.txt", "reason": "not an image"}]
    assert "report" not in answer
    assert not list(tmp_path.glob("in*"))  # a name is no path


def test_enrolled_sources_name_groups_and_the_report_tells_the_same(tmp_path, small_model, pile, rng):
    Gallery(tmp_path / "g.sqlite", small_model).enroll({"bright": levels(rng, 180, 3)}, originals=False)
    with local(create_app(small_model, tmp_path / "g.sqlite", Tokens(None))) as client:
        answer = client.post("/v1/sort", params={"report": True}, files=sent(pile)).json()
    assert [group["source"] for group in answer["groups"]] == ["bright", None, None]
    report = answer["report"]
    assert report["verdict"]["title"] == "3 groups, 1 of known sources"
    for section in report["sections"]:
        assert f"<h2>{section['title']}</h2>" in report["page"]
    assert report["page"].count("data:image/jpeg") == sum(COUNTS.values())
    assert "data:image/jpeg" not in json.dumps(report["sections"])  # whoever sent the images has them
    assert str(tmp_path) not in json.dumps(answer)


def test_names_that_come_twice_are_told_apart(tmp_path, small_model, rng):
    one, other = levels(rng, 20, 2)
    zips = [("images", (f"{i}.zip", zipped([("a.png", png(one))]))) for i in range(1)]
    with local(create_app(small_model, tmp_path / "g.sqlite", Tokens(None))) as client:
        twice = [("images", ("a.png", png(pixels))) for pixels in (one, other)]
        found = client.post("/v1/sort", files=twice).json()["groups"][0]["images"]
        assert {image["image"] for image in found} == {"a.png", "a.png (2)"}
        assert client.post("/v1/sort", files=[*zips, *twice[1:]]).json()["groups"][0]["images"]


def test_limits_and_tokens_hold(tmp_path, small_model, pile):
    (tmp_path / "tokens").write_text("read " + "r" * 20)
    tokens = Tokens(tmp_path / "tokens")
    with local(create_app(small_model, tmp_path / "g.sqlite", tokens, Limits(images=3))) as client:
        assert client.post("/v1/sort", files=sent(pile)).status_code == 401
        read = {"Authorization": "Bearer " + "r" * 20}
        assert client.post("/v1/sort", files=sent(pile), headers=read).status_code == 413
        assert client.post("/v1/sort", files=sent(pile[:3]), headers=read).status_code == 200
        assert client.post("/v1/sort", files=sent(pile[-1:]), headers=read).status_code == 422
        assert client.post("/v1/sort", headers=read).status_code == 422
    with local(create_app(small_model, tmp_path / "g.sqlite", Tokens(None), Limits(seconds=0))) as client:
        assert client.post("/v1/sort", files=sent(pile)).status_code == 413


@pytest.fixture
def folder(tmp_path, pile):
    """The pile on disk, without what is no image."""
    for name, content in pile:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path / "in"


@in_browser
def test_a_folder_is_sorted_looked_at_and_enrolled(visit, folder, tmp_path, small_model):
    page = visit()
    page.set_input_files("#sort-folder", str(folder))
    page.wait_for_selector("#sorted:not([hidden])")
    assert page.inner_text("#sort-verdict .title") == "3 groups"
    assert "17 files sent, 1 left out" in page.inner_text("#sort-verdict")
    page.wait_for_function("() => document.querySelectorAll('#sort-sections canvas').length === 16")
    first = page.locator("#sort-sections section", has_text="group 1: 6 images")
    assert first.locator("canvas").count() == 6
    assert page.evaluate("document.activeElement.id") == "sorted"
    level = """() => [...document.querySelectorAll('#sort-sections canvas')].map((one) => {
        const pixels = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
        return pixels.filter((_, i) => i % 4 === 0).reduce((sum, one) => sum + one, 0) * 4 / pixels.length;
    })"""
    assert np.abs(np.array(page.evaluate(level)) - np.repeat(list(COUNTS), list(COUNTS.values()))).max() < 5
    first.locator("form input").fill("dark")
    first.locator("form button").click()
    first.locator("form p", has_text="6 images added to dark, 6 enrolled").wait_for()
    page.locator("#sources th", has_text="dark").wait_for()
    assert Gallery(tmp_path / "gallery.sqlite", small_model).counts() == {"dark": 6}
    for id, wanted in (("sort-page", "<h2>group 1: 6 images</h2>"), ("sort-json", '"strays"')):
        with page.expect_download() as download:
            page.click(f"#{id}")
        assert wanted in Path(download.value.path()).read_text()


@in_browser
def test_files_are_dropped_and_errors_are_told(visit, pile):
    page = visit()
    drop = """files => {
        const dropped = new DataTransfer();
        files.forEach(([name, c]) => dropped.items.add(new File([new Uint8Array(c)], name)));
        const event = new DragEvent('drop', {dataTransfer: dropped, bubbles: true});
        document.getElementById('sort-drop').dispatchEvent(event);
    }"""
    page.evaluate(drop, [["a.png", list(b"nothing")]])
    page.wait_for_function("() => document.getElementById('sort-error').textContent.includes('not an image')")
    page.evaluate(drop, [["a.png", list(content)] for _, content in pile[:-1]])
    page.wait_for_selector("#sorted:not([hidden])")
    assert page.text_content("#sort-error") == ""
    page.wait_for_function("() => document.querySelectorAll('#sort-sections canvas').length === 16")


@in_browser
def test_members_of_a_zip_are_named_and_a_phone_has_room(visit, pile, tmp_path):
    (tmp_path / "z.zip").write_bytes(zipped(pile))
    page = visit(viewport={"width": 360, "height": 740})
    page.set_input_files("#sort-files", str(tmp_path / "z.zip"))
    page.wait_for_selector("#sorted:not([hidden])")
    assert page.locator("#sort-sections code", has_text="in/20/0.png").count() == 1
    assert page.locator("#sort-sections form").count() == 0
    assert "not a zip" in page.inner_text("#sort-sections")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@in_browser
def test_names_are_text(visit, rng):
    evil = "<img src=x onerror=alert(1)>"
    page = visit()
    made = [{"name": evil, "source": evil, "images": [{"image": evil}]}]
    sheet = {"kind": "sheet", "group": evil, "more": 3, "last": []}
    sheet["first"] = [{"name": evil, "caption": evil, "uri": ""}]
    verdict = {"title": evil, "tone": "", "lead": evil, "points": []}
    sections = [{"title": evil, "blocks": [sheet], "folded": False}]
    page.evaluate(
        "answer => showSorted(answer)",
        {"groups": made, "left_out": [], "report": {"page": "", "verdict": verdict, "sections": sections}},
    )
    assert page.locator("#sorted img").count() == 0
    assert page.text_content("#sort-sections").count(evil) == 3
