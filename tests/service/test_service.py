"""The service: what it answers, and what it does not let in."""

import base64
import contextlib
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

from genprint.answers.families import FamilyTree
from genprint.api import Gallery
from genprint.cli.app import app as cli
from genprint.gallery.store import GalleryError, GalleryStore
from genprint.model import Model
from genprint.service.app import create_app
from genprint.service.settings import Limits, Tokens, is_loopback
from genprint.storage.files import canonical_digest
from tests.conftest import JPEG_QUALITY, JPEG_SOURCES, textured

GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0, "e": 70.0}
READ, ENROLL = "r" * 20, "e" * 20
PATIENCE = 300  # seconds for what a server of its own does: beside other work, its start alone may take a minute


def local(app, **options) -> TestClient:
    """A client as this machine's own."""
    return TestClient(app, base_url="http://127.0.0.1", **options)


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def files(images, field="images"):
    return [(field, (f"{i}.png", png(pixels), "image/png")) for i, pixels in enumerate(images)]


def zipped(members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, small_model):
    """Five sources, without originals: few tests here are about processed probes."""
    path, rng = tmp_path_factory.mktemp("service") / "gallery.sqlite", np.random.default_rng(0)
    store = Gallery(path, small_model)
    store.enroll({name: textured(rng, 24, grain=grain) for name, grain in GRAINS.items()}, originals=False)
    return path


@pytest.fixture(scope="module")
def served(small_model):
    """Makes the service over a gallery, by the small model."""

    def make(gallery, tokens=None, limits=None, **more):
        return create_app(small_model, gallery, Tokens(tokens), limits or Limits(), **more)

    return make


@pytest.fixture
def client(gallery, served):
    with local(served(gallery), raise_server_exceptions=False) as client:
        yield client


def test_what_is_enrolled_is_there(tmp_path, served, rng):
    images = textured(rng, 3)
    with local(served(tmp_path / "g.sqlite")) as client:
        first = client.post("/v1/sources/a", files=files(images)).json()
        assert (first["added"], first["enrolled"]) == (3, 3)
        again = client.post("/v1/sources/a", files=files([images[0], images[0] // 2])).json()
        assert (again["added"], again["enrolled"]) == (1, 4)
        assert client.get("/v1/sources").json() == {"a": 4}


def test_what_is_not_well_with_what_is_enrolled_is_told(tmp_path, served, rng):
    images = files(textured(rng, 3))
    with local(served(tmp_path / "g.sqlite")) as client:

        def concerns(name, images):
            return {one["kind"]: one for one in client.post(f"/v1/sources/{name}", files=images).json()["concerns"]}

        assert "few images" in concerns("one", images)
        twice = concerns("two", images)["same files"]
        assert twice["sources"] == ["one", "two"]
        assert twice["said"] == "one and two share 3 files. They count as one source: remove one, or these files."
        assert not {"few images", "same files"} & concerns("three", files(textured(rng, 24, grain=100))).keys()


def test_answers(client, rng):
    assert client.get("/v1/sources").json() == dict.fromkeys(GRAINS, 24)
    probe = files(textured(rng, 10, grain=GRAINS["c"]))
    answer = client.post("/v1/attribute", params={"pictures": True}, files=probe).json()
    assert answer["evidence"]["candidates"][0]["source"] == "c"
    assert answer["evidence"]["ratio"]["llr"] == answer["llr"] > 0
    assert answer["pictures"]["trace"].startswith("data:image/png;base64,")
    pair = files(textured(rng, 20, grain=2), "left") + files(textured(rng, 20, grain=70), "right")
    shipped = client.post("/v1/verify", files=pair).json()
    assert shipped["decision"] != "same"
    assert shipped["population"] == "golden images"  # which came with the model
    enrolled = client.post("/v1/verify", params={"enrolled": True}, files=pair).json()
    assert enrolled["decision"] == "different"
    assert enrolled["population"] == f"{len(GRAINS)} enrolled sources"
    similarity = shipped["evidence"]["similarity"]
    assert enrolled["evidence"]["similarity"] == similarity < enrolled["evidence"]["same_above"]
    twice = pair[:20] + [("right", file) for _, file in pair[:20]]
    refused = client.post("/v1/verify", files=twice)
    assert refused.status_code == 422
    assert "20 images in both" in refused.json()["detail"]
    assert sorted(client.get("/v1/families").json()["sources"]) == sorted(GRAINS)
    assert client.get("/v1/families.svg").text.startswith("<?xml")


def test_trees_are_made_once_and_of_many_sources_in_groups(client, gallery, small_model, monkeypatch, rng):
    built, build = [], FamilyTree.build

    def counted(*arguments):
        built.append(arguments)
        return build(*arguments)

    monkeypatch.setattr(FamilyTree, "build", counted)
    assert client.get("/v1/families").json() == client.get("/v1/families").json()
    assert client.get("/v1/families.svg").status_code == 200
    assert len(built) == 1
    client.post("/v1/sources/new", files=files(textured(rng, 4, grain=30.0)))
    try:
        assert "new" in client.get("/v1/families").json()["sources"]
    finally:
        Gallery(gallery, small_model).remove("new")  # other tests have the same gallery
    monkeypatch.setattr("genprint.service.app.MOST_LISTED", 4)
    monkeypatch.setattr("genprint.service.app.MOST_DRAWN", 3)
    grouped = client.get("/v1/families").json()["sources"]
    assert len(grouped) == 3
    assert any(" and " in name for name in grouped)


def test_a_zip_is_its_images(client, rng):
    images = textured(rng, 10, grain=GRAINS["b"])
    content = zipped([*((f"in/{i}.png", png(p)) for i, p in enumerate(images)), ("readme.txt", b"hello")])
    answer = client.post("/v1/attribute", files=[("images", ("probe.zip", content))]).json()
    assert (answer["evidence"]["candidates"][0]["source"], answer["images"]) == ("b", 10)
    assert answer["left_out"] == [{"name": "readme.txt", "reason": "not an image"}]


def test_what_is_no_image_is_said_so(client):
    done = client.post("/v1/attribute", files=[("images", ("a.png", b"nonsense"))])
    assert done.status_code == 422
    assert "not an image" in done.json()["detail"]
    assert client.post("/v1/attribute", files=[("images", ("a.zip", b"PK\x03\x04broken"))]).status_code == 422
    assert client.post("/v1/attribute").status_code == 422


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b", "%00", "x" * 200, " "])
def test_names_are_names(client, gallery, small_model, name, rng):
    def there():
        # What SQLite keeps beside the file comes and goes with connections, whoever opened them.
        beside = {f"{gallery.name}-wal", f"{gallery.name}-shm"}
        return {path.name for path in gallery.parent.iterdir()} - beside, Gallery(gallery, small_model).counts()

    before = there()
    assert client.post(f"/v1/sources/{name}", files=files(textured(rng, 1))).status_code in (404, 405, 422)
    assert there() == before


def test_a_zip_that_climbs_writes_nothing(client, tmp_path, rng):
    content = zipped([("../../../../tmp/genprint-climbed.png", png(textured(rng, 1)[0]))])
    assert client.post("/v1/attribute", files=[("images", ("z.zip", content))]).status_code == 200
    assert not os.path.exists("/tmp/genprint-climbed.png")


def test_bombs(gallery, served, rng):
    limits = Limits(unpacked=1 << 20, images=50, pixels=2**16)
    with local(served(gallery, limits=limits)) as client:
        deep = zipped([("zeros.png", bytes(2 << 20))])
        assert client.post("/v1/attribute", files=[("images", ("z.zip", deep))]).status_code == 413
        many = zipped([(f"{i}.png", b"") for i in range(51)])
        assert client.post("/v1/attribute", files=[("images", ("z.zip", many))]).status_code == 413
        wide = png(np.zeros((300, 300, 3), np.uint8))
        assert client.post("/v1/attribute", files=[("images", ("w.png", wide))]).status_code == 413
        good = client.post("/v1/attribute", files=files(textured(rng, 3)))
        assert good.status_code == 200


def test_too_large_a_body_is_refused_as_it_comes(gallery, served):
    with local(served(gallery, limits=Limits(body=10_000))) as client:
        large = {"images": ("a.png", bytes(20_000))}
        assert client.post("/v1/attribute", files=large).status_code == 413

        def stream():
            for _ in range(20):
                yield bytes(1000)

        assert client.post("/v1/attribute", content=stream()).status_code == 413


def test_tokens(gallery, served, tmp_path, rng):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# ours\nread {READ}\nenroll {ENROLL}\n")
    with local(served(gallery, tokens)) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/v1/sources").status_code == client.get("/metrics").status_code == 401
        bearer = {token: {"Authorization": f"Bearer {token}"} for token in (READ, ENROLL, READ[:-1], "")}
        assert client.get("/v1/sources", headers=bearer[READ[:-1]]).status_code == 401
        assert client.get("/v1/sources", headers=bearer[""]).status_code == 401
        assert client.get("/v1/sources", headers=bearer[READ]).status_code == 200
        assert client.get("/v1/sources", headers=bearer[ENROLL]).status_code == 200
        # The name of a scheme is the same in any case (RFC 9110, 11.1); another scheme is another.
        for scheme, status in (("bearer", 200), ("BEARER", 200), ("Basic", 401), ("", 401)):
            given = {"Authorization": f"{scheme} {READ}".strip()}
            assert client.get("/v1/sources", headers=given).status_code == status
        image = files(textured(rng, 1))
        assert client.post("/v1/sources/f", headers=bearer[READ], files=image).status_code == 403
    for wrong in ("read short", "admin " + READ, ""):
        tokens.write_text(wrong)
        with pytest.raises(ValueError, match="tokens"):
            Tokens(tokens)


def test_errors_say_nothing_of_the_inside(gallery, served, monkeypatch, rng):
    with local(served(gallery), raise_server_exceptions=False) as client:
        monkeypatch.setattr(GalleryStore, "counts", lambda self: 1 / 0)
        done = client.get("/v1/sources")
    assert (done.status_code, done.json()) == (500, {"detail": "internal error"})


def test_too_few_are_enrolled(tmp_path, served, rng):
    with local(served(tmp_path / "new.sqlite")) as client:
        assert client.post("/v1/attribute", files=files(textured(rng, 1))).status_code == 409
        assert client.get("/v1/families").status_code == 409
        pair = files(textured(rng, 1), "left") + files(textured(rng, 1), "right")
        assert client.post("/v1/verify", params={"enrolled": True}, files=pair).status_code == 409
        client.post("/v1/sources/one", files=files(textured(rng, 2)))
        assert client.get("/v1/families").status_code == 409
        refused = client.post("/v1/verify", params={"enrolled": True}, files=pair)
        assert refused.status_code == 409
        assert "fewer than two" in refused.json()["detail"]


def test_a_gallery_of_another_model_is_refused_at_the_start(gallery, shipped):
    with pytest.raises(GalleryError, match="enrolled with another model"):
        create_app(shipped, gallery, Tokens(None))


@pytest.mark.parametrize("name", ["report", "pictures"])
def test_reports_and_pictures_come_if_they_are_asked_for(client, rng, name, gallery):
    probe = files(textured(rng, 4, grain=GRAINS["c"]))
    assert name not in client.post("/v1/attribute", files=probe).json()
    with_more = client.post("/v1/attribute", params={name: True}, files=probe).json()[name]
    assert set(with_more) == ({"page", "case", "verdict", "sections"} if name == "report" else {"trace", "tree"})
    if name == "report":
        record = json.loads(with_more["case"])
        assert record["attribution"]["condition"] == "original"
        assert {record["inputs"][where] for where in ("probe", "known", "gallery", "model")} == {None}
        assert str(gallery.parent) not in with_more["page"] + with_more["case"]
        sealed = record.pop("sha256")
        assert canonical_digest(record) == sealed
        assert with_more["verdict"]["title"] in with_more["page"]
        for section in with_more["sections"]:  # the page and the values tell one story
            assert f"<h2>{section['title']}</h2>" in with_more["page"]
        assert str(gallery.parent) not in json.dumps(with_more["sections"])


def read(folder):
    """A folder's files as an upload."""
    return [("images", (path.name, path.read_bytes())) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("originals", [None, False, True])
def test_images_are_kept_only_if_the_service_is_told(tmp_path, served, jpeg_case, originals):
    told = {} if originals is None else {"originals": originals}
    with local(served(tmp_path / "g.sqlite", **told)) as client:
        for name in JPEG_SOURCES:
            client.post(f"/v1/sources/{name}", files=read(jpeg_case / "known" / name))
        assert (tmp_path / "g.sqlite.originals").exists() == bool(originals)
        answer = client.post("/v1/attribute", files=read(jpeg_case / "probes" / JPEG_SOURCES[1])).json()
        assert answer["condition"] == (f"JPEG {JPEG_QUALITY}" if originals else "original")
        assert (answer["evidence"]["candidates"][0]["source"] == JPEG_SOURCES[1]) == bool(originals)


@pytest.fixture
def with_originals(tmp_path, served, jpeg_case, small_model):
    """A client of a service that keeps images, and the pieces that would give them away."""
    Gallery(tmp_path / "g.sqlite", small_model).enroll(jpeg_case / "known")
    contents = [path.read_bytes() for path in (jpeg_case / "known").rglob("*.png")]
    with local(served(tmp_path / "g.sqlite", originals=True), raise_server_exceptions=False) as client:
        yield client, [content[100:300] for content in contents]


def test_what_is_kept_is_never_served(with_originals, jpeg_case, tmp_path):
    client, pieces = with_originals
    kept = (tmp_path / "g.sqlite.originals").read_bytes()
    assert all(piece in kept for piece in pieces)
    probe = read(jpeg_case / "probes" / JPEG_SOURCES[1])
    pair = [("left", file) for _, file in probe[:8]] + [("right", file) for _, file in probe[8:]]
    answers = [
        *(client.get(route.path.replace("{name}", JPEG_SOURCES[0])) for route in client.app.routes),
        *(
            client.get(path)
            for path in (
                "/g.sqlite.originals", "/static/../g.sqlite.originals", "/static/%2e%2e/g.sqlite.originals",
                "/v1/originals", f"/v1/sources/{JPEG_SOURCES[0]}/originals",
            )
        ),
        client.post("/v1/attribute", params={"pictures": True, "report": True}, files=probe),
        client.post("/v1/verify", params={"enrolled": True}, files=pair),
    ]  # fmt: skip
    assert answers[-2].json()["condition"] == f"JPEG {JPEG_QUALITY}"
    assert answers[-1].status_code == 200
    for answer in answers:
        for piece in pieces:
            assert piece not in answer.content
            # as base64, wherever in its groups of three bytes it begins
            assert not any(base64.b64encode(piece[at:])[:80] in answer.content for at in range(3))


def test_what_is_wrong_with_originals_is_not_told_to_clients(with_originals, jpeg_case, tmp_path):
    client, _ = with_originals
    with sqlite3.connect(tmp_path / "g.sqlite.originals") as file:
        file.execute("UPDATE original SET content = zeroblob(100) WHERE rowid = 1")
    done = client.post("/v1/attribute", files=read(jpeg_case / "probes" / JPEG_SOURCES[1]))
    assert str(tmp_path) not in done.text
    assert done.status_code == 500


@pytest.mark.parametrize("option", [None, "--originals", "--no-originals"])
def test_serving_keeps_originals_if_it_is_told(tmp_path, monkeypatch, small_model_folder, option):
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))
    asked = []

    def made(*_, **options):
        asked.append(options["originals"])
        raise ValueError("stop here")

    monkeypatch.setattr("genprint.service.app.create_app", made)
    command = ["serve", "--gallery", str(tmp_path / "g"), "--port", "0", *([option] if option else [])]
    assert "stop here" in CliRunner().invoke(cli, command).stderr
    assert asked == [option == "--originals"]


def test_metrics_and_headers(client):
    client.get("/v1/sources")
    client.get("/v1/sources/../secret")
    text = client.get("/metrics").text
    assert 'genprint_requests_total{path="/v1/sources",status="200"}' in text
    assert "secret" not in text
    assert "script" not in client.get("/").headers["content-security-policy"]


def test_the_page_asks_nobody_else(client):
    for name in ("", *(f"static/{one}" for one in ("page.js", "sorting.js", "style.css", "look.css", "filter.js"))):
        path = f"/{name}"
        assert client.get(path).status_code == 200
        assert not re.search(r"(?:https?:)?//[a-z]", client.get(path).text.replace("// ", ""))


def test_loopback():
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")] == [True] * 3 + [
        False
    ] * 2


def _serve(gallery, model):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "genprint", "serve", "--gallery", str(gallery), "--port", str(port)]
    server = subprocess.Popen([*command, "--model", str(model)], stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    end = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{base}/health").status_code == 200:
                return server, base
        time.sleep(0.2)
    server.kill()
    raise AssertionError(f"the server did not come up; it ended with {server.wait()}")


@pytest.mark.slow
def test_what_was_enrolled_survives_a_kill_and_a_stop_lets_work_end(tmp_path, rng, small_model_folder):
    gallery = tmp_path / "gallery.sqlite"
    server, base = _serve(gallery, small_model_folder)
    try:
        done = httpx.post(f"{base}/v1/sources/a", files=files(textured(rng, 6)), timeout=PATIENCE)
        assert done.json()["enrolled"] == 6
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert Gallery(gallery, Model.load(small_model_folder)).counts() == {"a": 6}
    server, base = _serve(gallery, small_model_folder)
    try:
        assert httpx.get(f"{base}/v1/sources", timeout=PATIENCE).json() == {"a": 6}
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=PATIENCE) in (0, -signal.SIGTERM)


def test_others_are_let_in_by_token_only(tmp_path):
    done = CliRunner().invoke(cli, ["serve", "--gallery", str(tmp_path / "g"), "--host", "0.0.0.0"])
    assert done.exit_code == 1
    assert "--token-file" in done.stderr


def test_a_body_is_read_only_where_it_is_wanted(gallery, served):
    with local(served(gallery, limits=Limits(body=1000))) as client:
        assert client.post("/", content=bytes(5000)).status_code == 405
        assert client.post("/nowhere", content=bytes(5000)).status_code in (404, 405)


def test_other_pages_are_not_answered_without_tokens(client, rng):
    image = files(textured(rng, 1))
    assert client.post("/v1/sources/evil", files=image, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/v1/sources", headers={"Host": "evil.example"}).status_code == 403
    assert "evil" not in client.get("/v1/sources").json()


def test_zips_that_cannot_be_stopped_are_refused(client):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.png", bytes(1 << 20))
    done = client.post("/v1/attribute", files=[("images", ("z.zip", buffer.getvalue()))])
    assert done.status_code == 422
    assert "stored and deflated" in done.json()["detail"]


def test_images_that_take_too_long(gallery, served, rng):
    with local(served(gallery, limits=Limits(seconds=0))) as client:
        done = client.post("/v1/attribute", files=files(textured(rng, 3)))
        assert done.status_code == 413
        assert "take longer than 0 s" in done.json()["detail"]


def test_pixels_in_all(gallery, served, rng):
    limits = Limits(all_pixels=3 * 32 * 32)
    with local(served(gallery, limits=limits)) as client:
        assert client.post("/v1/attribute", files=files(textured(rng, 3))).status_code == 200
        assert client.post("/v1/attribute", files=files(textured(rng, 4))).status_code == 413
