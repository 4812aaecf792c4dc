"""The API asked by its own description: whatever fits it is answered, and is never an error of the server's."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, unsupported_method

from genprint.encoder.encoder import SetEncoder
from genprint.service.app import create_app
from genprint.service.settings import Tokens

TOKEN = "t" * 20
# What a request is made of is seldom an image or an enrolled source, and is then refused, though it fits.
EXCLUDED = [positive_data_acceptance, negative_data_rejection, unsupported_method]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "tokens").write_text(f"enroll {TOKEN}\n")
    app = create_app(SetEncoder.from_pretrained(), folder / "gallery.sqlite", Tokens(folder / "tokens"))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_no_request_breaks_it(schema):
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
