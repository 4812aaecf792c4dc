"""The API asked by its own description: who is let in, and that whatever fits it is answered without an error."""

import asyncio
import io

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, unsupported_method

from genprint.service.app import create_app
from genprint.service.settings import Tokens
from tests.conftest import textured

TOKEN = "t" * 20
# What a request is made of is seldom an image or an enrolled source, and is then refused, though it fits.
EXCLUDED = [positive_data_acceptance, negative_data_rejection, unsupported_method]


@pytest.fixture(scope="module")
def app(tmp_path_factory, small_model):
    folder = tmp_path_factory.mktemp("described")
    (folder / "tokens").write_text(f"enroll {TOKEN}\n")
    return create_app(small_model, folder / "gallery.sqlite", Tokens(folder / "tokens"))


def operations(description):
    return [
        (path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_says_that_a_token_is_needed_and_where(app):
    description = app.openapi()
    (name,) = description["components"]["securitySchemes"]
    assert name == "token"
    scheme = description["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    found = operations(description)
    assert {path for path, *_ in found} == {
        "/health", "/metrics", "/v1/sources", "/v1/sources/{name}", "/v1/attribute", "/v1/verify", "/v1/families",
        "/v1/families.svg", "/v1/sort",
    }  # fmt: skip
    for path, _, operation in found:
        assert operation.get("security", []) == ([] if path == "/health" else [{"token": []}]), path
        assert {"401", "403"} <= set(operation["responses"])


class Described:
    """A client that knows the description alone: it sends the token in the way that the operation's scheme asks for."""

    def __init__(self, client, token):
        self._client, self._token = client, token

    async def read(self):
        self._about = (await self._client.get("/openapi.json")).json()

    async def ask(self, path, method, **parts):
        operation = self._about["paths"][path][method]
        headers = {}
        for wanted in operation.get("security", self._about.get("security", [])):
            for name in wanted:
                scheme = self._about["components"]["securitySchemes"][name]
                assert scheme["type"] == "http"
                headers["Authorization"] = f"{scheme['scheme']} {self._token}"
        return await self._client.request(method, path.format(name="a"), headers=headers, **parts)


def test_who_follows_the_description_is_let_in(app, rng):
    buffer = io.BytesIO()
    Image.fromarray(textured(rng, 1)[0]).save(buffer, "PNG")
    image = ("a.png", buffer.getvalue(), "image/png")
    sent = {
        "/v1/sources/{name}": [("images", image)],
        "/v1/attribute": [("images", image)],
        "/v1/verify": [("left", image), ("right", image)],
    }

    async def answers(token):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.example") as client:
            described = Described(client, token)
            await described.read()
            return {
                f"{method} {path}": (await described.ask(path, method, files=sent.get(path))).status_code
                for path, method, _ in operations(app.openapi())
            }

    refused = asyncio.run(answers("w" * 20))
    assert refused.pop("get /health") == 200
    assert set(refused.values()) == {401}
    let_in = asyncio.run(answers(TOKEN))
    assert not {401, 403} & set(let_in.values())
    for path in ("get /v1/sources", "post /v1/sources/{name}", "get /metrics", "get /health"):
        assert let_in[path] == 200
    assert let_in["get /v1/families"] == 409  # one source is no family


def test_problems_are_described_as_they_come(app):
    description = app.openapi()
    problem = description["components"]["schemas"]["Problem"]
    assert list(problem["properties"]) == ["detail"]
    for _, _, operation in operations(description):
        for status in ("409", "413", "422", "429"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"]["$ref"].endswith("/Problem")


def test_no_request_breaks_it(app):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def ask(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=EXCLUDED)

        ask()
        asked.add(operation.label)
    assert {"POST /v1/attribute", "POST /v1/verify", "POST /v1/sources/{name}", "GET /v1/families"} <= asked
