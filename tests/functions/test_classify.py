"""The app over real HTTP, in the local host: every way in, every status, CORS, keys."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.builders import colour_image, model_folder, multipart
from tests.support.servers import LocalHost

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "frontend" / "samples"
SAMPLE = json.loads((SAMPLES / "samples.json").read_text("utf-8"))[0]
DATA = (SAMPLES / SAMPLE["file"]).read_bytes()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    """The app with small limits, keys off, and three models of which two are broken."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / "digits", models / "digits")
    model_folder(models, "colours", 1, onnx=colours_onnx)
    model_folder(models, "colours", 2, onnx=colours_onnx, labels="Bleu\nVert\nRouge")
    model_folder(models, "broken", 1, onnx=b"no model")
    env = {
        "MODELS_DIR": str(models),
        "MAX_IMAGE_BYTES": "300000",
        "MAX_IMAGE_PIXELS": "1000000",
        "FETCH_TIMEOUT_SECONDS": "1",
        "FETCH_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    with LocalHost(app_root=ROOT, env=env) as running:
        yield running


def post(app: LocalHost, body: bytes, **options: object) -> requests.Response:
    return requests.post(f"{app.url}/api/classify", data=body, timeout=60, **options)  # type: ignore[arg-type]


def error(response: requests.Response) -> tuple[int, str]:
    """Checks the one error shape; returns status and code."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message"]
    assert len(body["error"]["message"]) > 20
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return response.status_code, body["error"]["code"]


def test_a_url_is_classified(app: LocalHost) -> None:
    url = f"{app.url}/samples/{SAMPLE['file']}"
    response = requests.get(f"{app.url}/api/classify", params={"img": url}, timeout=60)

    assert response.json()["predictedTagName"] == SAMPLE["label"]
    assert response.headers["X-Model"] == "digits/1"
    assert response.headers["Server-Timing"].startswith("fetch;dur=")


@pytest.mark.parametrize(
    "way",
    ["raw", "octets", "untyped", "form", "json-base64", "json-url", "post-img"],
)
def test_every_way_in_gives_the_same_answer(app: LocalHost, way: str) -> None:
    url = f"{app.url}/samples/{SAMPLE['file']}"
    content_type, form = multipart(("image", DATA))
    ways: dict[str, dict[str, object]] = {
        "raw": {"data": DATA, "headers": {"Content-Type": "image/png"}},
        "octets": {"data": DATA, "headers": {"Content-Type": "application/octet-stream"}},
        "untyped": {"data": DATA},
        "form": {"data": form, "headers": {"Content-Type": content_type}},
        "json-base64": {"json": {"image": base64.b64encode(DATA).decode()}},
        "json-url": {"json": {"img": url}},
        "post-img": {"params": {"img": url}},
    }
    response = requests.post(f"{app.url}/api/classify", timeout=60, **ways[way])  # type: ignore[arg-type]
    body = response.json()

    assert response.status_code == 200
    assert list(body) == ["created", "predictedTagName", "prediction"]
    assert body["predictedTagName"] == SAMPLE["label"]


def test_model_and_version_are_chosen_in_the_query(app: LocalHost) -> None:
    blue = colour_image("blue")

    assert post(app, blue, params={"model": "colours"}).json()["predictedTagName"] == "Bleu"
    older = post(app, blue, params={"model": "colours", "version": "1"})
    assert older.json()["predictedTagName"] == "Blue"
    assert older.headers["X-Model"] == "colours/1"


@pytest.mark.parametrize(
    ("status", "code", "options"),
    [
        (400, "InvalidRequest", {}),
        (400, "InvalidRequest", {"params": {"img": "not a url"}}),
        (400, "InvalidRequest", {"json": {"image": "???"}}),
        (400, "InvalidRequest", {"data": DATA, "params": {"version": "new"}}),
        (403, "FetchBlocked", {"params": {"img": "file:///etc/passwd"}}),
        (403, "FetchBlocked", {"params": {"img": "http://169.254.169.254/metadata"}}),
        (404, "UnknownModel", {"data": DATA, "params": {"model": "nothing"}}),
        (404, "UnknownModel", {"data": DATA, "params": {"model": "colours", "version": "3"}}),
        (413, "ImageTooLarge", {"data": b"x" * 300_001}),
        (413, "ImageTooLarge", {"data": colour_image(size=(1001, 1000))}),
        (415, "UnsupportedImage", {"data": b"hello"}),
        (424, "FetchFailed", {"params": {"img": "{host}/samples/nothing.png"}}),
        (503, "ModelError", {"data": DATA, "params": {"model": "broken"}}),
    ],
)
def test_each_failure_has_its_status_and_code(
    app: LocalHost, status: int, code: str, options: dict[str, object]
) -> None:
    params = options.get("params")
    if isinstance(params, dict) and "img" in params:
        options = {**options, "params": {"img": params["img"].format(host=app.url)}}
    response = requests.post(f"{app.url}/api/classify", timeout=60, **options)  # type: ignore[arg-type]

    assert error(response) == (status, code)


def test_a_slow_server_is_504(app: LocalHost) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/slow.png"
        response = requests.get(f"{app.url}/api/classify", params={"img": url}, timeout=30)

    assert error(response) == (504, "FetchTimedOut")


def test_a_preflight_is_answered(app: LocalHost) -> None:
    for route in ("classify", "status"):
        response = requests.options(f"{app.url}/api/{route}", timeout=30)

        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in response.headers["Access-Control-Allow-Methods"]


def test_a_method_that_is_not_declared_is_404(app: LocalHost) -> None:
    assert requests.put(f"{app.url}/api/classify", data=DATA, timeout=30).status_code == 404


def test_status_lists_models_versions_and_labels(app: LocalHost) -> None:
    response = requests.get(f"{app.url}/api/status", timeout=60)
    body = response.json()

    assert response.status_code == 200
    assert body["defaultModel"] == "digits"
    models = {model["name"]: model["versions"] for model in body["models"]}
    assert [version["version"] for version in models["colours"]] == [2, 1]
    assert models["colours"][0]["labels"] == ["Bleu", "Vert", "Rouge"]


def test_many_callers_at_once_all_get_the_right_answer(app: LocalHost) -> None:
    colours = {name: colour_image(name) for name in ("red", "green", "blue")}
    asked = list(colours) * 10

    def ask(name: str) -> str:
        answer = post(app, colours[name], params={"model": "colours", "version": "1"})
        return str(answer.json()["predictedTagName"])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, asked))

    assert answers == [name.capitalize() for name in asked]


def test_as_if_in_azure_without_settings_nobody_gets_in() -> None:
    with LocalHost(app_root=ROOT, env={}, environment="Production") as published:
        for response in (
            requests.get(f"{published.url}/api/status", timeout=30),
            post(published, DATA),
            post(published, DATA, headers={"x-functions-key": "guess"}),
        ):
            assert error(response) == (401, "Unauthorized")
        assert requests.options(f"{published.url}/api/classify", timeout=30).status_code == 204


@pytest.mark.tensorflow
def test_the_real_export_answers_cat_and_dog_in_models_and_in_classify(
    fixtures: Path, tmp_path: Path
) -> None:
    export = fixtures / "custom_vision" / "viktordudas-catdog"
    app_root = copy_of_the_app(tmp_path)
    for name in ("model.pb", "labels.txt"):
        shutil.copyfile(export / name, app_root / "classify" / name)
    (app_root / "models" / "catdog").mkdir()
    shutil.copytree(export, app_root / "models" / "catdog" / "1")
    with LocalHost(app_root=app_root, env={}) as running:
        for animal in ("cat", "dog"):
            data = (fixtures / "images" / "tutorial" / f"{animal}1.png").read_bytes()
            by_default = post(running, data)
            by_name = post(running, data, params={"model": "catdog"})

            assert by_default.json()["predictedTagName"] == animal.capitalize()
            assert by_default.headers["X-Model"] == "classify/1"
            assert by_name.json()["predictedTagName"] == animal.capitalize()
            assert by_name.headers["X-Model"] == "catdog/1"


def copy_of_the_app(tmp_path: Path) -> Path:
    """What is deployed, in a folder of its own, so that a test can put files in it."""
    target = tmp_path / "app"
    target.mkdir()
    for name in ("classify", "status", "image_classifier", "models"):
        ignored = shutil.ignore_patterns("__pycache__", "model.pb" if name == "classify" else "-")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in ("host.json", "local.settings.json.example"):
        shutil.copyfile(ROOT / name, target / name)
    return target
