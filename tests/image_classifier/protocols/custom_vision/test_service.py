"""The Custom Vision prediction API, held against its own description and its SDK's models."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import numpy as np
import pytest
from azure.cognitiveservices.vision.customvision.prediction.models import (
    CustomVisionErrorCodes,
    ImagePrediction,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from image_classifier import Classifier, Settings, errors
from image_classifier.protocols.custom_vision.errors import CODE_OF_ERROR, as_custom_vision_error
from image_classifier.protocols.custom_vision.service import CustomVision
from image_classifier.results import Prediction
from tests.support.builders import colour_image, model_folder

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
OTHER_PROJECT = "00000000-0000-0000-0000-000000000007"
IMAGE = colour_image("red")
OCTETS = "application/octet-stream"
# Of the description (v3.1): what an answer and each of its predictions may have.
OF_ANSWER = {"id", "project", "iteration", "created", "predictions"}
OF_PREDICTION = {"probability", "tagId", "tagName", "boundingBox", "tagType"}


def path(
    name: str = "pets", *, api: str = "v3.0", project: str = PROJECT, task: str = "classify"
) -> str:
    return f"/customvision/{api}/Prediction/{project}/{task}/iterations/{name}/image"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Path:
    """An app with the default model and two versions of another, whose labels differ."""
    root = tmp_path_factory.mktemp("app")
    model_folder(root / "models", "digits", 1, onnx=colours_onnx)
    model_folder(root / "models", "Pets", 1, onnx=colours_onnx, labels="Bleu\nVert\nRouge")
    model_folder(root / "models", "Pets", 2, onnx=colours_onnx, labels="Blau\nNegative\nRot")
    model_folder(root / "models", "broken", 1, onnx=b"no model")
    return root


def service(app: Path, **environ: str) -> CustomVision:
    environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", **environ}
    return CustomVision(Classifier(Settings.from_environ(environ), app_root=app))


@pytest.fixture(scope="module")
def vision(app: Path) -> CustomVision:
    return service(app, MAX_IMAGE_BYTES="300000", MAX_IMAGE_PIXELS="1000000")


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]
    prediction: Prediction | None = None


def ask(vision: CustomVision, where: str, body: bytes = IMAGE, kind: str = OCTETS) -> Any:
    try:
        found = vision.classify(where, kind, body)
    except Exception as exc:  # as the binding does it
        error = as_custom_vision_error(exc)
        answer = Answer(error.status, error.as_dict())
    else:
        answer = Answer(200, found.body, found.prediction)
    json.dumps(answer.body, allow_nan=False)
    return answer


def tags(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["tagName"] for each in answer.body["predictions"]]


def test_an_answer_has_the_services_keys_and_kinds_of_values(vision: CustomVision) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    body = ask(vision, path()).body

    assert set(body) == OF_ANSWER
    assert UUID(body["id"]).version == 4
    assert UUID(body["iteration"]).version == 5
    assert body["project"] == PROJECT
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["created"])
    assert datetime.fromisoformat(body["created"]) >= before
    assert all(set(each) <= OF_PREDICTION for each in body["predictions"])
    model: Any = ImagePrediction
    assert model.deserialize(body).predictions[0].tag_name == "Rot"


def test_every_tag_is_there_and_the_most_probable_comes_first(vision: CustomVision) -> None:
    mixed = colour_image((200, 40, 120))
    predictions = ask(vision, path(), mixed).body["predictions"]
    probabilities = [each["probability"] for each in predictions]

    assert [each["tagName"] for each in predictions] == ["Rot", "Blau", "Negative"]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < probabilities[-1] < 1e-3  # the exporter would leave out what is below 1e-8
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)


def test_probabilities_are_the_shortest_decimals_of_float32(vision: CustomVision) -> None:
    for each in ask(vision, path(), colour_image((90, 80, 85))).body["predictions"]:
        assert str(each["probability"]) == str(np.float32(each["probability"]))


def test_ids_are_the_same_every_time_and_others_elsewhere(vision: CustomVision) -> None:
    first, again = ask(vision, path()).body, ask(vision, path()).body
    elsewhere = ask(vision, path(project=OTHER_PROJECT)).body
    older = service(
        Path(vision._classifier.repository.display_name).parent, CUSTOM_VISION_MODELS="pets=Pets/1"
    )

    assert first["id"] != again["id"]
    assert first["iteration"] == again["iteration"]
    assert first["predictions"] == again["predictions"]
    assert first["predictions"][0]["tagId"] == str(uuid5(UUID(PROJECT), "Rot"))
    assert first["predictions"][0]["tagId"] != elsewhere["predictions"][0]["tagId"]
    assert first["iteration"] != elsewhere["iteration"]
    assert first["iteration"] != ask(older, path()).body["iteration"]


def test_the_iteration_is_the_exports_own_where_its_manifest_is_there(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    folder = model_folder(tmp_path / "models", "digits", 1, onnx=colours_onnx)
    iteration = "fe1e83c4-6f50-4899-9544-6bb08cf0e15a"
    (folder / "cvexport.manifest").write_text(json.dumps({"IterationId": iteration}))

    assert ask(service(tmp_path), path()).body["iteration"] == iteration


def test_only_the_newer_version_tells_the_kind_of_a_tag(vision: CustomVision) -> None:
    assert "tagType" not in ask(vision, path()).body["predictions"][0]
    kinds = {
        each["tagName"]: each["tagType"]
        for each in ask(vision, path(api="v3.1")).body["predictions"]
    }

    assert kinds == {"Rot": "Regular", "Blau": "Regular", "Negative": "Negative"}


@pytest.mark.parametrize(
    "where",
    [
        f"/customvision/v3.1/prediction/{PROJECT}/classify/iterations/pets/image",
        f"/CUSTOMVISION/V3.0/PREDICTION/{PROJECT.upper()}/Classify/Iterations/PETS/Image",
        f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/pets/image/nostore",
        f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/pets/image/NoStore/",
        f"/api/customvision/v3.0/Prediction/{PROJECT}/classify/iterations/pets/image",
        f"//customvision/v3.0/Prediction/{PROJECT}/classify/iterations/p%65ts/image",
        f"/customvision/v3.0/Prediction/{PROJECT.replace('-', '')}/classify/iterations/pets/image",
    ],
)
def test_paths_are_understood_whatever_their_case(vision: CustomVision, where: str) -> None:
    answer = ask(vision, where)

    assert tags(answer)[0] == "Rot"
    assert answer.body["project"] == PROJECT


@pytest.mark.parametrize(
    ("where", "code", "words"),
    [
        (path(api="v2.0"), "NotFound", "v3.0 and v3.1"),
        (path(api="v3.3"), "NotFound", "no training API"),
        (path(api="v3.0x"), "NotFound", "v3.0"),
        (path() + "/more", "NotFound", "/customvision/v3.0/"),
        (path("a/b"), "NotFound", "/customvision/v3.0/"),
        (path(""), "NotFound", "/customvision/v3.0/"),
        ("/customvision/v3.3/Training/projects", "NotFound", "no training API"),
        ("/customvision", "NotFound", "/customvision/v3.0/"),
        (path(project="my-project"), "BadRequestInvalidIds", "my-project"),
        (path(project="%00"), "BadRequestInvalidIds", "UUID"),
        (path(task="detect"), "BadRequestNotSupported", "no object detection"),
        (path(task="Detect") + "/nostore", "BadRequestNotSupported", "/classify/"),
    ],
)
def test_other_paths_are_answered_in_words(
    vision: CustomVision, where: str, code: str, words: str
) -> None:
    answer = ask(vision, where)

    assert (answer.status, answer.body["code"]) == (404 if code == "NotFound" else 400, code)
    assert words in answer.body["message"]


def test_a_name_that_no_model_has_means_the_default_model(vision: CustomVision) -> None:
    answer = ask(vision, path("Iteration%201"))

    assert tags(answer)[0] == "Red"
    assert answer.prediction.model == "digits"


def test_names_that_callers_make_up_do_not_pile_up(vision: CustomVision) -> None:
    for number in range(2500):
        vision._names.model_for(UUID(PROJECT), f"made up {number}")

    assert len(vision._names._named) <= 1000


@pytest.mark.slow
def test_a_new_model_answers_to_its_name_within_a_second(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    model_folder(tmp_path / "models", "digits", 1, onnx=colours_onnx)
    vision = service(tmp_path)
    assert tags(ask(vision, path("birds")))[0] == "Red"
    model_folder(tmp_path / "models", "birds", 1, onnx=colours_onnx, labels="Blu\nVerde\nRosso")
    deadline = datetime.now(UTC).timestamp() + 5

    while tags(ask(vision, path("birds")))[0] != "Rosso":
        assert datetime.now(UTC).timestamp() < deadline


@pytest.fixture(scope="module")
def published(app: Path) -> CustomVision:
    """With CUSTOM_VISION_MODELS, nothing else is published."""
    names = f"My model=Pets/1,{PROJECT}/current=Pets,current=digits,gone=nothing"
    return service(app, CUSTOM_VISION_MODELS=names)


def test_a_published_name_chooses_model_and_version(published: CustomVision) -> None:
    assert tags(ask(published, path("my%20MODEL")))[0] == "Rouge"


def test_a_project_may_have_names_of_its_own(published: CustomVision) -> None:
    assert tags(ask(published, path("Current")))[0] == "Rot"
    assert tags(ask(published, path("Current", project=OTHER_PROJECT)))[0] == "Red"


def test_what_is_not_published_is_unknown_even_if_a_model_has_the_name(
    published: CustomVision,
) -> None:
    answer = ask(published, path("Pets"))

    assert (answer.status, answer.body["code"]) == (404, "NotFoundIteration")
    assert answer.body["message"].startswith("Invalid iteration")
    assert "current, gone, my model" in answer.body["message"]


def test_a_published_name_whose_model_is_not_there_is_unknown(published: CustomVision) -> None:
    answer = ask(published, path("gone"))

    assert (answer.status, answer.body["code"]) == (404, "NotFoundIteration")
    assert "'nothing'" in answer.body["message"]


def test_a_project_for_which_nothing_is_published_is_unknown(app: Path) -> None:
    vision = service(app, CUSTOM_VISION_MODELS=f"{PROJECT}/pets=Pets")
    answer = ask(vision, path(project=OTHER_PROJECT))

    assert tags(ask(vision, path()))[0] == "Rot"
    assert (answer.status, answer.body["code"]) == (404, "NotFoundProject")


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", OCTETS, 400, "BadRequestImageStream"),
        (b'{"Url": "http://h/a.png"}', "application/json", 400, "BadRequestImageStream"),
        (b"no picture", OCTETS, 400, "BadRequestImageFormat"),
        (b"x" * 300_001, OCTETS, 400, "BadRequestImageSizeBytes"),
        (colour_image(size=(1001, 1000)), OCTETS, 400, "BadRequestImageDimensions"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400, "BadRequestImageStream"),
        (b"no form", "multipart/form-data; boundary=b", 400, "BadRequestImageStream"),
    ],
)
def test_a_bad_image_has_its_code(
    vision: CustomVision, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = ask(vision, path(), body, kind)

    assert (answer.status, answer.body["code"]) == (status, code)
    assert set(answer.body) == {"code", "message"}
    assert len(answer.body["message"]) > 20


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "BadRequestImageUrl"),
        (b"{}", "application/json", 400, "BadRequestImageUrl"),
        (b'{"url": 7}', "application/json", 400, "BadRequestImageUrl"),
        (b'{"url": "cat.png"}', "application/json", 400, "BadRequestImageUrl"),
        (b'{"url": "file:///etc/passwd"}', "application/json", 400, "BadRequestImageUrl"),
        (b'{"url": "http://169.254.169.254/"}', "application/json", 400, "BadRequestImageUrl"),
        (b"<ImageUrl><Url>http://h/</Url></ImageUrl>", "text/xml", 415, "UnsupportedMediaType"),
        (b'{"url": "' + b"x" * 70_000, "application/json", 400, "BadRequestImageUrl"),
    ],
)
def test_a_bad_url_has_its_code(
    vision: CustomVision, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = ask(vision, path().replace("/image", "/url"), body, kind)

    assert (answer.status, answer.body["code"]) == (status, code)


def test_a_model_that_does_not_load_is_an_unavailable_service(vision: CustomVision) -> None:
    answer = ask(vision, path("broken"))

    assert (answer.status, answer.body["code"]) == (503, "ErrorPredictionServiceUnavailable")
    assert "model.onnx" in answer.body["message"]


def test_scores_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 32, 32, 3], name="Placeholder")
        tf.identity(tf.math.log(-1 - tf.reduce_mean(pixels, [1, 2])), name="model_outputs")
    model_folder(tmp_path / "models", "digits", graph=graph.as_graph_def().SerializeToString())
    answer = ask(service(tmp_path), path())

    assert (answer.status, answer.body["code"]) == (500, "ErrorPrediction")


def test_a_bug_says_nothing_of_itself(
    vision: CustomVision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trap(*_: object, **__: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(vision._classifier, "classify_bytes", trap)
    answer = ask(vision, path())

    assert (answer.status, answer.body["code"]) == (500, "ErrorUnknown")
    assert "secret" not in answer.body["message"]


def test_every_error_has_one_of_the_services_codes() -> None:
    kinds = [errors.ClassifierError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    leaves = [kind for kind in kinds if not kind.__subclasses__()]
    codes = {as_custom_vision_error(kind("what was wrong")).code for kind in leaves}
    known = {code.value for code in CustomVisionErrorCodes}

    assert len(leaves) > 8
    assert codes <= known
    assert {code for _, code in CODE_OF_ERROR.values()} <= known


def test_without_a_right_key_the_body_is_the_gateways_and_the_services_at_once() -> None:
    body = as_custom_vision_error(errors.Unauthorized("no key")).as_dict()

    assert set(body) == {"code", "message", "error"}
    assert body["error"] == {"code": "401", "message": body["message"]}
    assert body["message"].startswith("Access denied due to invalid subscription key")


@given(
    st.text("customvision/v30.1PredictoLassfyiteramg%2fé-", max_size=120),
    st.sampled_from(
        ["", OCTETS, "application/json", "multipart/form-data; boundary=b", "text/xml"]
    ),
    st.binary(max_size=60),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_is_answered_in_the_services_schema(
    vision: CustomVision, end: str, kind: str, body: bytes
) -> None:
    for where in (f"/customvision/{end}", path() + end, path(end), path(project=end)):
        answer = ask(vision, where, body, kind)
        assert answer.status in (200, 400, 404, 415)
        assert set(answer.body) in ({"code", "message"}, OF_ANSWER)
