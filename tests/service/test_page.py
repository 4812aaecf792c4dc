"""The page in a real browser."""

import json
import re
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from typer.testing import CliRunner

from genprint.api import Gallery
from genprint.cli.app import app as cli
from genprint.service.app import create_app
from genprint.service.settings import Tokens
from tests.browser import browser, marks
from tests.conftest import textured

__all__ = ["browser"]
pytestmark = marks
GRAINS = {"fine": 2.0, "medium": 12.0, "rough": 30.0, "coarse": 70.0}


def write(folder, images):
    folder.mkdir()
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return [str(path) for path in sorted(folder.iterdir())]


def serve(model, gallery, tokens):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(model, gallery, tokens)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not come up"
        time.sleep(0.05)
    return server, thread, f"http://127.0.0.1:{port}/"


@pytest.fixture
def visit(browser, tmp_path, small_model):
    """Opens the page of a fresh gallery; what it asks anybody else for, or complains of, fails the test."""
    started, complaints = [], []

    def open_page(tokens=None, **options):
        server, thread, url = serve(small_model, tmp_path / "gallery.sqlite", Tokens(tokens))
        started.append((server, thread))
        page = browser.new_page(**options)
        page.set_default_timeout(120_000)  # beside other work an answer takes long
        page.on("request", lambda r: r.url.startswith((url, "data:", "blob:")) or complaints.append(r.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for server, thread in started:
        server.should_exit = True
        thread.join()
    assert complaints == []


@pytest.fixture
def enrolled(tmp_path, small_model):
    """The gallery of the page, with all sources in it, without originals."""
    rng = np.random.default_rng(7)
    sources = {name: textured(rng, 16, grain=grain) for name, grain in GRAINS.items()}
    Gallery(tmp_path / "gallery.sqlite", small_model).enroll(sources, originals=False)


def first_candidate(page):
    """Of the raw scores, which are folded."""
    return page.locator("#sections details", has_text="Raw scores").locator("tbody th").first.text_content()


def test_enroll(visit, tmp_path, rng):
    page = visit()
    page.locator("#tree", has_text="It takes two enrolled sources or more.").wait_for()
    for name, few in (("fine", "fine"), ("coarse", "coarse and fine")):
        page.fill("#name", name)
        page.set_input_files("#images", write(tmp_path / name, textured(rng, 4, grain=GRAINS[name])))
        page.click("#enroll button")
        page.locator("#sources th", has_text=name).wait_for()
        page.locator("#enrolled", has_text="4 images added, 4 enrolled").wait_for()
        page.locator("#concerns li", has_text=f"{few}: few images (4 at least)").wait_for()
    page.wait_for_selector("#tree svg")
    page.wait_for_function("() => [...document.querySelectorAll('#tree text title')].some(t => t.textContent === "
                           "'fine: 4 images enrolled')")  # fmt: skip


def test_ask_and_see(visit, tmp_path, rng, enrolled, small_model_folder):
    page = visit()
    page.wait_for_selector("#tree svg")
    page.set_input_files("#probe", write(tmp_path / "probe", textured(rng, 8, grain=GRAINS["rough"])))
    page.wait_for_selector("#answer:not([hidden])")
    assert first_candidate(page) == "rough"
    assert page.inner_text("#verdict dt >> nth=0") == "Why"
    assert page.locator("#sections section h2").first.inner_text() == "How much the images support it"
    assert "times as likely if rough made the images" in page.text_content("#sections")
    assert "No file says who made it." in page.text_content("#sections")
    assert page.evaluate("document.activeElement.id") == "answer"  # a screen reader goes on there
    page.wait_for_function("() => [...document.querySelectorAll('#sections img')].every(i => i.naturalWidth > 0)")
    assert page.locator("#sections img").count() == 3
    with page.expect_download() as download:
        page.click("#download")
    assert json.loads(download.value.path().read_text())["evidence"]["candidates"][0]["source"] == "rough"
    for id, wanted in (("report", "<h2>Three tests</h2>"), ("case", '"sha256"')):
        with page.expect_download() as download:
            page.click(f"#{id}")
        kept = tmp_path / download.value.suggested_filename
        download.value.save_as(kept)
        assert wanted in kept.read_text()
    again = ["report", "reproduce", str(kept), "--model", str(small_model_folder)]
    where = ["--probe", str(tmp_path / "probe"), "--gallery", str(tmp_path / "gallery.sqlite")]
    done = CliRunner().invoke(cli, [*again, *where])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli, again)
    assert "--probe" in done.output
    page.wait_for_function("() => [...document.querySelectorAll('#tree text title')].some(t => t.textContent === "
                           "'rough: 16 images enrolled')")  # fmt: skip
    before = page.evaluate("document.querySelector('#tree svg').getBoundingClientRect().width")
    page.focus("#tree")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#tree svg').getBoundingClientRect().width") > before


def test_drop(visit, tmp_path, rng, enrolled):
    page = visit()
    contents = [list(Path(path).read_bytes()) for path in write(tmp_path / "p", textured(rng, 6, grain=2.0))]
    page.evaluate(
        """contents => {
            const dropped = new DataTransfer();
            contents.forEach((c, i) => dropped.items.add(new File([new Uint8Array(c)], `${i}.png`)));
            const event = new DragEvent('drop', {dataTransfer: dropped, bubbles: true});
            document.getElementById('drop').dispatchEvent(event);
        }""",
        contents,
    )
    page.wait_for_selector("#answer:not([hidden])")
    assert first_candidate(page) == "fine"


def test_errors_are_shown_and_forgotten(visit, tmp_path, rng, small_model):
    page = visit()
    page.set_input_files("#probe", write(tmp_path / "probe", textured(rng, 2)))
    page.wait_for_function("() => document.getElementById('error').textContent.includes('no source is enrolled')")
    Gallery(tmp_path / "gallery.sqlite", small_model).enroll(textured(rng, 4), "one", originals=False)
    (tmp_path / "text.png").write_text("no image")
    page.set_input_files("#probe", str(tmp_path / "text.png"))
    page.wait_for_function("() => document.getElementById('error').textContent.includes('not an image')")
    page.set_input_files("#probe", write(tmp_path / "again", textured(rng, 2)))
    page.wait_for_selector("#answer:not([hidden])")
    assert page.text_content("#error") == ""


def test_names_are_text(visit, tmp_path, rng):
    page = visit()
    evil = "<img src=x onerror=alert(1)>"
    blocks = [
        {"kind": "text", "text": evil, "tone": ""},
        {"kind": "items", "items": [evil]},
        {"kind": "terms", "terms": [[evil, evil, evil]]},
        {"kind": "table", "columns": [evil, evil], "rows": [[evil, evil]], "digests": [], "searched": True},
    ]
    page.evaluate(
        """([verdict, sections]) => showAnswer({
            images: 1, left_out: [], report: {page: "", case: "", verdict, sections},
        })""",
        [
            {"title": evil, "tone": "unknown", "lead": evil, "points": [[evil, evil]]},
            [{"title": evil, "blocks": blocks, "folded": False}],
        ],
    )
    assert page.inner_text("#verdict .title") == evil
    assert page.text_content("#verdict").count(evil) == 4
    assert page.text_content("#sections").count(evil) == 10
    assert page.locator("#answer img").count() == 0


def test_one_image_leaves_nothing_empty(visit, tmp_path, rng, enrolled):
    page = visit()
    page.set_input_files("#probe", write(tmp_path / "probe", textured(rng, 1, grain=GRAINS["rough"])))
    page.wait_for_selector("#answer:not([hidden])")
    assert "1 image used" in page.inner_text("#verdict")
    empty = """() => [...document.querySelectorAll('#answer :is(p, ul, dl, dd, td, tbody, figure)')]
        .filter(one => !one.textContent && !one.querySelector('img')).length"""
    assert page.evaluate(empty) == 0
    assert "Place in the family tree" not in page.text_content("#sections")


def test_many_sources_are_searched(visit, tmp_path, rng, small_model):
    sources = {f"model-{i}": textured(rng, 2, grain=2.0 + i) for i in range(14)}
    Gallery(tmp_path / "gallery.sqlite", small_model).enroll(sources, originals=False)
    page = visit()
    page.fill("#search input", "model-1")
    assert page.locator("#sources tbody tr:visible").count() == 5  # 1, 10 to 13
    page.fill("#search input", "")
    assert page.locator("#sources tbody tr:visible").count() == 14


def test_the_tree_is_light_or_dark_as_the_system_is(visit, enrolled):
    page = visit(color_scheme="dark")
    page.wait_for_selector("#tree svg")
    fill = "getComputedStyle(document.querySelector('#tree text')).fill"
    dark = page.evaluate(fill)
    page.emulate_media(color_scheme="light")
    assert [sum(map(int, re.findall(r"\d+", one))) > 384 for one in (dark, page.evaluate(fill))] == [True, False]


def test_a_token_is_asked_for(visit, tmp_path):
    (tmp_path / "tokens").write_text("enroll " + "t" * 20)
    page = visit(tmp_path / "tokens")
    page.wait_for_selector("#token-row:not([hidden])")
    page.fill("#token", "t" * 20)
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.getElementById('none').textContent.includes('None yet')")


def test_fits_a_phone(visit, tmp_path, rng, enrolled):
    page = visit(viewport={"width": 360, "height": 740})
    page.set_input_files("#probe", write(tmp_path / "probe", textured(rng, 4)))
    page.wait_for_selector("#answer:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
