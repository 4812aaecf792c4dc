"""The service: what it answers, and what it does not let in."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from genprint.answers.families import FamilyTree
from genprint.encoder.encoder import SetEncoder
from genprint.gallery.store import Gallery
from genprint.service.app import create_app
from genprint.service.settings import Limits, Tokens, is_loopback

from .conftest import textured

ENCODER = SetEncoder.from_pretrained()
GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0, "e": 70.0}
READ, ENROLL = "r" * 20, "e" * 20


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
def gallery(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("service") / "gallery.sqlite", np.random.default_rng(0)
    with local(create_app(ENCODER, path, Tokens(None))) as client:
        for name, grain in GRAINS.items():
            done = client.post(f"/v1/sources/{name}", files=files(textured(rng, 24, grain=grain)))
            assert done.json() == {"added": 24, "enrolled": 24}
    return path


@pytest.fixture
def client(gallery):
    with local(create_app(ENCODER, gallery, Tokens(None)), raise_server_exceptions=False) as client:
        yield client


def test_answers(client, rng):
    assert client.get("/v1/sources").json() == dict.fromkeys(GRAINS, 24)
    probe = files(textured(rng, 10, grain=GRAINS["c"]))
    answer = client.post("/v1/attribute", params={"pictures": True}, files=probe).json()
    assert answer["candidates"][0]["source"] == "c"
    assert answer["evidence"]["log10_lr"] > 0
    assert answer["pictures"]["trace"].startswith("data:image/png;base64,")
    pair = files(textured(rng, 20, grain=2), "left") + files(textured(rng, 20, grain=70), "right")
    shipped = client.post("/v1/verify", files=pair).json()
    assert shipped["answer"] != "same"
    assert shipped["population"].startswith("the shipped generators")
    enrolled = client.post("/v1/verify", params={"enrolled": True}, files=pair).json()
    assert enrolled["answer"] != "same"
    assert enrolled["population"] == f"{len(GRAINS)} enrolled sources"
    assert enrolled["likeness"] == shipped["likeness"] < enrolled["same_above"]
    twice = pair[:20] + [("right", file) for _, file in pair[:20]]
    refused = client.post("/v1/verify", files=twice)
    assert refused.status_code == 422
    assert "20 images are in both" in refused.json()["detail"]
    assert sorted(client.get("/v1/families").json()["sources"]) == sorted(GRAINS)
    assert client.get("/v1/families.svg").text.startswith("<?xml")


def test_trees_are_made_once_and_of_many_sources_in_groups(client, gallery, monkeypatch, rng):
    built, build = [], FamilyTree.build

    def counted(*arguments):
        built.append(arguments)
        return build(*arguments)

    monkeypatch.setattr(FamilyTree, "build", counted)
    assert client.get("/v1/families").json() == client.get("/v1/families").json()
    assert client.get("/v1/families.svg").status_code == 200
    assert len(built) == 1
    client.post("/v1/sources/new", files=files(textured(rng, 4, grain=30.0)))
    assert "new" in client.get("/v1/families").json()["sources"]
    Gallery(gallery, ENCODER).remove("new")
    monkeypatch.setattr("genprint.service.app.MOST_LISTED", 4)
    monkeypatch.setattr("genprint.service.app.MOST_DRAWN", 3)
    grouped = client.get("/v1/families").json()["sources"]
    assert len(grouped) == 3
    assert any(" and " in name for name in grouped)


def test_a_zip_is_its_images(client, rng):
    images = textured(rng, 10, grain=GRAINS["b"])
    content = zipped([*((f"in/{i}.png", png(p)) for i, p in enumerate(images)), ("readme.txt", b"hello")])
    answer = client.post("/v1/attribute", files=[("images", ("probe.zip", content))]).json()
    assert (answer["candidates"][0]["source"], answer["images"]) == ("b", 10)
    assert answer["left_out"] == [{"name": "readme.txt", "reason": "not an image"}]


def test_what_is_no_image_is_said_so(client):
    done = client.post("/v1/attribute", files=[("images", ("a.png", b"nonsense"))])
    assert done.status_code == 422
    assert "not an image" in done.json()["detail"]
    assert client.post("/v1/attribute", files=[("images", ("a.zip", b"PK\x03\x04broken"))]).status_code == 422
    assert client.post("/v1/attribute").status_code == 422


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b", "%00", "x" * 200, " "])
def test_names_are_names(client, gallery, name, rng):
    before = sorted(gallery.parent.iterdir())
    assert client.post(f"/v1/sources/{name}", files=files(textured(rng, 1))).status_code in (404, 405, 422)
    assert sorted(gallery.parent.iterdir()) == before


def test_a_zip_that_climbs_writes_nothing(client, tmp_path, rng):
    content = zipped([("../../../../tmp/genprint-climbed.png", png(textured(rng, 1)[0]))])
    assert client.post("/v1/attribute", files=[("images", ("z.zip", content))]).status_code == 200
    assert not os.path.exists("/tmp/genprint-climbed.png")


def test_bombs(gallery, rng):
    limits = Limits(unpacked=1 << 20, images=50, pixels=2**16)
    with local(create_app(ENCODER, gallery, Tokens(None), limits)) as client:
        deep = zipped([("zeros.png", bytes(2 << 20))])
        assert client.post("/v1/attribute", files=[("images", ("z.zip", deep))]).status_code == 413
        many = zipped([(f"{i}.png", b"") for i in range(51)])
        assert client.post("/v1/attribute", files=[("images", ("z.zip", many))]).status_code == 413
        wide = png(np.zeros((300, 300, 3), np.uint8))
        assert client.post("/v1/attribute", files=[("images", ("w.png", wide))]).status_code == 413
        good = client.post("/v1/attribute", files=files(textured(rng, 3)))
        assert good.status_code == 200


def test_too_large_a_body_is_refused_as_it_comes(gallery):
    with local(create_app(ENCODER, gallery, Tokens(None), Limits(body=10_000))) as client:
        large = {"images": ("a.png", bytes(20_000))}
        assert client.post("/v1/attribute", files=large).status_code == 413

        def stream():
            for _ in range(20):
                yield bytes(1000)

        assert client.post("/v1/attribute", content=stream()).status_code == 413


def test_tokens(gallery, tmp_path, rng):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# ours\nread {READ}\nenroll {ENROLL}\n")
    with local(create_app(ENCODER, gallery, Tokens(tokens))) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/v1/sources").status_code == client.get("/metrics").status_code == 401
        bearer = {token: {"Authorization": f"Bearer {token}"} for token in (READ, ENROLL, READ[:-1], "")}
        assert client.get("/v1/sources", headers=bearer[READ[:-1]]).status_code == 401
        assert client.get("/v1/sources", headers=bearer[""]).status_code == 401
        assert client.get("/v1/sources", headers=bearer[READ]).status_code == 200
        assert client.get("/v1/sources", headers=bearer[ENROLL]).status_code == 200
        image = files(textured(rng, 1))
        assert client.post("/v1/sources/f", headers=bearer[READ], files=image).status_code == 403
    for wrong in ("read short", "admin " + READ, ""):
        tokens.write_text(wrong)
        with pytest.raises(ValueError, match="tokens"):
            Tokens(tokens)


def test_errors_say_nothing_of_the_inside(gallery, monkeypatch, rng):
    with local(create_app(ENCODER, gallery, Tokens(None)), raise_server_exceptions=False) as client:
        monkeypatch.setattr(Gallery, "counts", lambda self: 1 / 0)
        done = client.get("/v1/sources")
    assert (done.status_code, done.json()) == (500, {"detail": "internal error"})


def test_nothing_enrolled(tmp_path, rng):
    with local(create_app(ENCODER, tmp_path / "new.sqlite", Tokens(None))) as client:
        assert client.post("/v1/attribute", files=files(textured(rng, 1))).status_code == 409
        assert client.get("/v1/families").status_code == 409
        pair = files(textured(rng, 1), "left") + files(textured(rng, 1), "right")
        assert client.post("/v1/verify", params={"enrolled": True}, files=pair).status_code == 409


def test_metrics_and_headers(client):
    client.get("/v1/sources")
    client.get("/v1/sources/../secret")
    text = client.get("/metrics").text
    assert 'genprint_requests_total{path="/v1/sources",status="200"}' in text
    assert "secret" not in text
    assert "script" not in client.get("/").headers["content-security-policy"]


def test_the_page_asks_nobody_else(client):
    for path in ("/", "/static/page.js", "/static/style.css"):
        assert not re.search(r"(?:https?:)?//[a-z]", client.get(path).text.replace("// ", ""))


def test_loopback():
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")] == [True] * 3 + [
        False
    ] * 2


def _serve(gallery):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "genprint", "serve", "--gallery", str(gallery), "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            if httpx.get(f"{base}/health").status_code == 200:
                return server, base
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def test_what_was_enrolled_survives_a_kill_and_a_stop_lets_work_end(tmp_path, rng):
    gallery = tmp_path / "gallery.sqlite"
    server, base = _serve(gallery)
    try:
        done = httpx.post(f"{base}/v1/sources/a", files=files(textured(rng, 6)), timeout=60)
        assert done.json()["enrolled"] == 6
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert Gallery(gallery, ENCODER).counts() == {"a": 6}
    server, base = _serve(gallery)
    try:
        assert httpx.get(f"{base}/v1/sources").json() == {"a": 6}
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) in (0, -signal.SIGTERM)


def test_others_are_let_in_by_token_only(tmp_path):
    command = [sys.executable, "-m", "genprint", "serve", "--gallery", str(tmp_path / "g"), "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "--token-file" in done.stderr


def test_a_body_is_read_only_where_it_is_wanted(gallery):
    with local(create_app(ENCODER, gallery, Tokens(None), Limits(body=1000))) as client:
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


def test_images_that_take_too_long(gallery, rng):
    with local(create_app(ENCODER, gallery, Tokens(None), Limits(seconds=0))) as client:
        done = client.post("/v1/attribute", files=files(textured(rng, 3)))
        assert done.status_code == 413
        assert "take longer than 0 s" in done.json()["detail"]


def test_pixels_in_all(gallery, rng):
    limits = Limits(all_pixels=3 * 32 * 32)
    with local(create_app(ENCODER, gallery, Tokens(None), limits)) as client:
        assert client.post("/v1/attribute", files=files(textured(rng, 3))).status_code == 200
        assert client.post("/v1/attribute", files=files(textured(rng, 4))).status_code == 413
