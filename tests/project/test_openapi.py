"""frontend/openapi.json is what the code says, and what the running app does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.servers import ROOT, LocalHost
from tools.openapi.document import TARGET, document, text
from tools.openapi.errors import of_custom_vision, of_tf_serving

SAMPLE = ROOT / "frontend" / "samples" / "seven.png"
IMAGE = SAMPLE.read_bytes()
KEY = "open-sesame"
FILLED = {
    "{api}": "v3.1",
    "{projectId}": "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11",
    "{publishedName}": "Iteration1",
    "{model}": "digits",
    "{version}": "1",
    "{label}": "stable",
}
OPERATIONS = [(method, path) for path, methods in document()["paths"].items() for method in methods]
# The same functions answer them; a few examples more would find nothing new.
RUN = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def app() -> Iterator[LocalHost]:
    """The app, with no way to another host."""
    with LocalHost(env={"FETCH_ALLOWED_HOSTS": "nobody.invalid"}) as host:
        yield host


@pytest.fixture(scope="module")
def described() -> Any:
    import schemathesis

    return schemathesis.openapi.from_dict(json.loads(TARGET.read_text("utf-8")))


def test_the_committed_file_is_what_the_tool_makes() -> None:
    assert TARGET.read_text("utf-8") == text(), "run python -m tools.openapi"


@pytest.mark.slow
def test_it_is_valid_openapi() -> None:
    import jsonschema_rs
    from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

    errors = OPENAPI_31_VALIDATOR.iter_errors(json.loads(TARGET.read_text("utf-8")))
    assert [str(error) for error in errors] == []
    for schema in document()["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    whole = document()
    written = json.dumps(whole)
    names = {
        f"#/components/{kind}/{name}"
        for kind, listed in whole["components"].items()
        if kind != "securitySchemes"
        for name in listed
    }
    used = {part.split('"')[0] for part in written.split('"$ref": "')[1:]}

    assert used == names


def test_operations_have_names_of_their_own() -> None:
    ids = [each["operationId"] for path in document()["paths"].values() for each in path.values()]

    assert len(set(ids)) == len(ids)
    assert all(each.isidentifier() for each in ids)


def test_every_code_of_the_input_specs_is_described() -> None:
    from image_classifier.protocols.custom_vision.errors import CODE_OF_ERROR

    vision, serving = of_custom_vision(by_url=True), of_tf_serving()

    for status, code in CODE_OF_ERROR.values():
        assert f"`{code}`" in vision[str(status)]["description"]
    assert {"400", "401", "404", "429", "500"} <= set(serving)


def test_every_code_that_tensorflow_servings_endpoint_raises_is_described() -> None:
    """Read in its source, as no model of the app makes it raise them all."""
    folder = ROOT / "image_classifier" / "protocols" / "tf_serving"
    texts = [path.read_text("utf-8") for path in folder.rglob("*.py") if "error" not in path.stem]
    raised = {code for text in texts for code in re.findall(r"\bCode\.([A-Z_]+)", text)}
    described = "\n".join(each["description"] for each in of_tf_serving().values())

    assert {"UNIMPLEMENTED", "INVALID_ARGUMENT"} <= raised
    assert [code for code in sorted(raised - {"OK"}) if f"`{code}`" not in described] == []


def test_every_key_of_a_real_status_is_described(host: LocalHost) -> None:
    """Keys that are not described are allowed, so the schema alone would not miss them."""
    requests.get(f"{host.url}/api/classify", params={"img": f"{host.url}/samples/seven.png"})
    status = requests.get(f"{host.url}/api/status", timeout=60).json()
    schemas = document()["components"]["schemas"]
    [version] = next(each for each in status["models"] if each["name"] == "digits")["versions"]

    assert version["provider"] == "CPUExecutionProvider"
    assert set(version) <= set(schemas["Version"]["properties"])
    assert set(status) <= set(schemas["Status"]["properties"])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_app_answers_whatever_is_sent_as_described(
    method: str, path: str, app: LocalHost, described: Any
) -> None:
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
        response_headers_conformance,
    ]
    operation = described[path][method.upper()]
    cases = operation.as_strategy() | operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )

    @RUN
    @given(case=cases)
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=app.url, checks=checks, timeout=60)

    ask()


def test_an_answer_that_is_not_described_is_found(app: LocalHost) -> None:
    import schemathesis

    less = json.loads(TARGET.read_text("utf-8"))
    del less["paths"]["/api/status"]["get"]["responses"]["400"]
    operation = schemathesis.openapi.from_dict(less)["/api/status"]["GET"]
    response = requests.get(f"{app.url}/api/status", params={"probe": "odd"}, timeout=60)

    with pytest.raises(schemathesis.core.failures.FailureGroup, match="Undocumented"):
        operation.Case().validate_response(response)


def call(
    url: str, method: str, path: str, *, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """A request that is right in every way."""
    for part, value in FILLED.items():
        path = path.replace(part, value)
    more: dict[str, Any] = {}
    if path == "/api/classify" and method == "get":
        more["params"] = {"img": f"{url}/samples/seven.png"}
    elif path.endswith(("/url", "/url/nostore")):
        more["json"] = {"Url": f"{url}/samples/seven.png"}
    elif path.endswith(":predict"):
        image = {"b64": base64.b64encode(IMAGE).decode()}
        more["json"] = {"signature_name": "bytes", "instances": [image]}
    elif method == "post" and path != "/api/negotiate":
        more["data"] = IMAGE
        more["headers"] = {"Content-Type": "application/octet-stream"}
    more["headers"] = {**more.get("headers", {}), **(headers or {})}
    return requests.request(method, url + path, timeout=60, **more)


# No model here has labels of versions, or takes examples; tests of protocols/ have some that do.
WITHOUT_EXAMPLE = ("{label}", ":classify", ":regress")


@pytest.mark.parametrize(
    ("method", "path"), [o for o in OPERATIONS if not any(e in o[1] for e in WITHOUT_EXAMPLE)]
)
def test_what_is_right_is_answered_with_200_as_described(
    method: str, path: str, host: LocalHost, described: Any
) -> None:
    response = call(host.url, method, path)

    assert response.status_code == 200, response.text
    described[path][method.upper()].validate_response(response)


@pytest.fixture(scope="module")
def closed() -> Iterator[LocalHost]:
    with LocalHost(env={"API_KEYS": KEY}) as host:
        yield host


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_who_has_no_key_is_told_so_as_described(
    method: str, path: str, closed: LocalHost, described: Any
) -> None:
    response = call(closed.url, method, path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    described[path][method.upper()].validate_response(response)


@pytest.mark.parametrize("scheme", document()["components"]["securitySchemes"].values())
def test_a_key_is_taken_in_every_way_that_is_described(
    scheme: dict[str, str], closed: LocalHost
) -> None:
    path = "/api/status"
    if scheme["type"] == "http":
        headers = {"Authorization": f"{scheme['scheme'].capitalize()} {KEY}"}
    elif scheme["in"] == "header":
        headers = {scheme["name"]: KEY}
    else:
        headers, path = {}, f"{path}?{scheme['name']}={KEY}"

    assert call(closed.url, "get", path, headers=headers).status_code == 200
