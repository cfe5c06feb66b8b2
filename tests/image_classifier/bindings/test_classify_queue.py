"""Every way in which a message can end, each brought about by a real server."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings import classify_queue
from image_classifier.concurrency.pixel_budget import PixelBudget
from image_classifier.errors import ClassifierError
from tests.support.builders import colour_image, model_folder, queue_message
from tests.support.fetch_servers import Answer, Internet, Server, http, internet_of, ok, silent

ROOT = Path(__file__).resolve().parents[3]
SEVEN = (ROOT / "frontend" / "samples" / "seven.png").read_bytes()
LARGEST = 48 * 1024  # bytes that a message in base64 holds


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The demo model and a broken one, with small limits."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / "digits", models / "digits")
    model_folder(models, "broken", 1, graph=b"no graph")
    environ = {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "FETCH_ALLOW_PRIVATE_ADDRESSES": "true",
        "FETCH_TIMEOUT_SECONDS": "0.5",
        "MAX_IMAGE_BYTES": "200000",
        "MAX_IMAGE_PIXELS": "1000000",
        "MODELS_DIR": str(models),
    }
    return Classifier(Settings.from_environ(environ))


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with internet_of(monkeypatch) as internet:
        yield internet


Fail = Callable[[str | bytes], dict[str, Any]]


@pytest.fixture
def fail(classifier: Classifier) -> Fail:
    """Classifies a message that must fail for good; returns what went to ``images-failed``."""

    def failed(body: str | bytes) -> dict[str, Any]:
        outcome = classify_queue.classify_message(queue_message(body, dequeue_count=2), classifier)
        assert outcome.failed is not None
        assert len(outcome.failed.encode()) <= LARGEST
        failure: dict[str, Any] = json.loads(outcome.failed)
        assert json.loads(outcome.signalr) == {"target": "newFailure", "arguments": [failure]}
        assert len(failure["error"]["message"]) > 20
        return failure

    return failed


# --- A result


def test_an_image_becomes_a_result_for_the_page(classifier: Classifier) -> None:
    with Server(ok(SEVEN)) as server:
        url = f"{server.url}/seven.png?sig=secret"
        body = json.dumps({"id": "run-7", "url": url, "model": "digits", "version": 1})
        started = time.perf_counter()
        outcome = classify_queue.classify_message(queue_message(body), classifier)
        took = (time.perf_counter() - started) * 1000
    message = json.loads(outcome.signalr)
    (result,) = message["arguments"]

    assert outcome.failed is None
    assert list(message) == ["target", "arguments"]
    assert message["target"] == "newResult"
    assert sorted(result) == [
        "id",
        "milliseconds",
        "model",
        "predictedTagName",
        "prediction",
        "probability",
        "url",
    ]
    assert (result["id"], result["url"], result["model"]) == ("run-7", url, "digits/1")
    assert result["predictedTagName"] == "7"
    assert 0.5 < result["probability"] <= 1
    assert {"tagName": "7", "probability": result["probability"]} in result["prediction"]
    assert result["prediction"] == classifier.classify_bytes(SEVEN).as_dict()["prediction"]
    assert 0 < result["milliseconds"] <= took + 0.1  # rounded


def test_a_plain_url_is_enough(classifier: Classifier) -> None:
    with Server(ok(SEVEN)) as server:
        outcome = classify_queue.classify_message(queue_message(server.url), classifier)
    (result,) = json.loads(outcome.signalr)["arguments"]

    assert (result["id"], result["url"], result["predictedTagName"]) == (
        "queue-id",
        server.url,
        "7",
    )


def test_a_message_that_comes_twice_is_answered_twice_under_one_id(classifier: Classifier) -> None:
    with Server(ok(SEVEN)) as server:
        body = json.dumps({"id": "run-7", "url": server.url})
        results = []
        for count in (1, 2):
            message = queue_message(body, id=f"queue-{count}", dequeue_count=count)
            outcome = classify_queue.classify_message(message, classifier)
            results += json.loads(outcome.signalr)["arguments"]

    assert [result["id"] for result in results] == ["run-7", "run-7"]


# --- Another try may help: it is raised


def reset(sock: socket.socket) -> None:
    """Drops the connection, with a RST rather than an answer."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


TRANSIENT: dict[str, Answer] = {
    "timeout": silent,
    "dropped before the answer": b"",
    "dropped with a reset": reset,
    "dropped in the body": ok(SEVEN[:100], length=len(SEVEN)),
    "dropped in a chunk": http("200 OK", "Transfer-Encoding: chunked", body=b"64\r\nabc"),
    "dropped in gzip": ok(gzip.compress(SEVEN)[:-20], "Content-Encoding: gzip"),
    **{
        str(status): http(f"{status} Sorry", body=b"sorry")
        for status in (408, 425, 429, 500, 502, 503, 504, 599)
    },
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_a_failure_that_may_pass_is_raised(
    answer: Answer, classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(answer) as server:
        message = queue_message(f"{server.url}/a.png?sig=secret", dequeue_count=3)
        with pytest.raises(ClassifierError) as caught:
            classify_queue.classify_message(message, classifier)

    assert caught.value.transient
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "secret" not in str(caught.value)
    assert f"queue-id, try 3: {caught.value.code}: " in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_is_down_is_tried_again(classifier: Classifier) -> None:
    with Server() as server:
        pass

    with pytest.raises(ClassifierError, match="nothing answers"):
        classify_queue.classify_message(queue_message(server.url), classifier)


def test_a_name_server_that_fails_is_asked_again(
    classifier: Classifier, internet: Internet
) -> None:
    def no_answer() -> Iterator[list[str]]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")
        yield []

    internet.names["public.example"] = no_answer()

    with pytest.raises(ClassifierError, match="cannot be looked up just now"):
        classify_queue.classify_message(queue_message("http://public.example/a.png"), classifier)


def test_a_model_that_cannot_be_loaded_keeps_the_message(classifier: Classifier) -> None:
    with Server(ok(SEVEN)) as server:
        body = json.dumps({"url": server.url, "model": "broken"})
        with pytest.raises(ClassifierError) as caught:
            classify_queue.classify_message(queue_message(body), classifier)

    assert caught.value.code == "ModelError"


def test_too_much_at_once_is_tried_again(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = PixelBudget(1_000_000, wait_seconds=0.05)
    monkeypatch.setattr(classifier.pipeline, "_pixels", budget)
    with (
        Server(ok(SEVEN)) as server,
        budget.reserve(1_000_000),
        pytest.raises(ClassifierError) as caught,
    ):
        classify_queue.classify_message(queue_message(server.url), classifier)

    assert caught.value.code == "TooManyRequests"


def test_a_bug_is_tried_again_too(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost to a bug: the message ends in the poison queue, the traceback in the log."""
    monkeypatch.delattr(classifier, "repository")

    with pytest.raises(AttributeError):
        classify_queue.classify_message(queue_message("http://127.0.0.1/"), classifier)


# --- No try can help: it goes to images-failed


PERMANENT: dict[str, tuple[Answer, str]] = {
    "no image": (ok(b"<html>not here</html>"), "UnsupportedImage"),
    "half an image": (ok(SEVEN[:300]), "UnsupportedImage"),
    "too many bytes": (ok(b"x" * 200_001), "ImageTooLarge"),
    "too many pixels": (ok(colour_image(size=(2000, 1000))), "ImageTooLarge"),
    "empty": (ok(b""), "FetchFailed"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", "FetchFailed"),
    "damaged gzip": (ok(b"no gzip at all", "Content-Encoding: gzip"), "FetchFailed"),
    "unasked encoding": (ok(SEVEN, "Content-Encoding: br"), "FetchFailed"),
    "redirect to itself": (http("302 Found", "Location: /"), "FetchFailed"),
    "redirect to nowhere": (http("302 Found"), "FetchFailed"),
    "redirect to metadata": (
        http("302 Found", "Location: http://169.254.169.254/latest/"),
        "FetchBlocked",
    ),
    **{
        str(status): (http(f"{status} No", body=b"no"), "FetchFailed")
        for status in (304, 400, 401, 403, 404, 410, 418, 451, 600, 799)
    },
}


@pytest.mark.parametrize(("answer", "code"), PERMANENT.values(), ids=PERMANENT)
def test_a_failure_that_will_not_pass_goes_to_the_failed_ones(
    answer: Answer, code: str, fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(answer) as server:
        url = f"{server.url}/?sig=secret"
        failure = fail(json.dumps({"id": "run-7", "url": url}))

    assert sorted(failure) == ["dequeueCount", "error", "failedAt", "id", "url"]
    assert (failure["id"], failure["url"], failure["dequeueCount"]) == ("run-7", url, 2)
    assert failure["error"]["code"] == code
    assert "secret" not in failure["error"]["message"]
    assert f"run-7 failed: {code}: " in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("not a URL", "InvalidRequest"),
        ("[]", "InvalidRequest"),
        ('"http://127.0.0.1/"', "InvalidRequest"),
        ("/cat.png", "InvalidRequest"),
        ("http://", "InvalidRequest"),
        ("http://h:99999/", "InvalidRequest"),
        ("http://169.254.169.254/latest/meta-data/", "FetchBlocked"),
        ("file:///etc/passwd", "FetchBlocked"),
        ("http://user:password@127.0.0.1/", "FetchBlocked"),
        ("http://2130706433/", "FetchBlocked"),
    ],
)
def test_a_url_that_is_off_or_blocked_fails_at_once(url: str, code: str, fail: Fail) -> None:
    failure = fail(url)

    assert (failure["id"], failure["url"], failure["error"]["code"]) == ("queue-id", url, code)
    assert "text" not in failure


def test_an_unknown_host_fails_at_once(fail: Fail, internet: Internet) -> None:
    assert "DNS" in fail("http://nobody.example/a.png")["error"]["message"]


@pytest.mark.parametrize("extra", [{"model": "cats"}, {"model": "digits", "version": 9}])
def test_an_unknown_model_or_version_is_kept_with_the_failure(
    extra: dict[str, Any], fail: Fail
) -> None:
    failure = fail(json.dumps({"id": "run-7", "url": "http://127.0.0.1/a.png"} | extra))

    assert failure["error"]["code"] == "UnknownModel"
    assert {key: failure[key] for key in ("model", "version") if key in failure} == extra


@pytest.mark.parametrize(
    "body", ["", "{", "{}", '{"url": 5}', b"\xff\xfe", '{"a":' * 5000, "\0", '{"id": "run-7"}']
)
def test_a_bad_message_fails_with_its_text(body: str | bytes, fail: Fail) -> None:
    failure = fail(body)
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")

    assert (failure["url"], failure["error"]["code"]) == (None, "InvalidRequest")
    assert failure["text"] == text[:2000]
    assert failure["id"] == ("run-7" if "run-7" in text else "queue-id")


@pytest.mark.parametrize("letter", ["x", "\0", '"', "\x7f", "ü", "😀"])
def test_a_monstrous_message_is_cut_and_says_so(letter: str, fail: Fail) -> None:
    body = letter * (LARGEST // len(letter.encode()))
    failure = fail(body)

    assert failure["text"] == letter * 2000
    assert failure["error"]["message"].endswith(
        f"Of its {len(body)} characters the first 2000 are kept."
    )


@pytest.mark.parametrize("letter", ["x", '"', "\\", "ü", "😀", "\x7f"])
def test_the_longest_url_that_is_kept_fits_into_a_message(letter: str, fail: Fail) -> None:
    body = {"id": "😀" * 200, "url": letter * 8192, "model": "😀" * 200, "version": 10**18 - 1}

    assert fail(json.dumps(body, ensure_ascii=False))["url"] == body["url"]


def test_one_line_is_logged_for_each_result(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    classifier.warm_up()
    caplog.set_level(logging.INFO)
    with Server(ok(SEVEN)) as server:
        body = json.dumps({"id": "run-7", "url": f"{server.url}/seven.png?sig=secret"})
        classify_queue.classify_message(queue_message(body), classifier)

    (line,) = [each.message for each in caplog.records if each.name == classify_queue.__name__]
    assert line.startswith(f"run-7: {server.url}/seven.png is 7 (0.")
    assert "secret" not in line
