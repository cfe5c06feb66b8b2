"""The endpoint for SignalR clients: what it hands on, to whom, and how a page may call it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import azure.functions as func
import pytest

from image_classifier import Classifier
from image_classifier.bindings.negotiate import negotiate
from tests.support.app_tree import ROOT
from tests.support.builders import request
from tests.support.signalr_client.node_clients import NodeClients
from tests.support.signalr_client.running import RunningEmulator

INFO = {
    "url": "https://s.service.signalr.net/client/?hub=imageclassification",
    "accessToken": "e.y",
}


def ask(classifier: Classifier, method: str = "POST", **parts: object) -> func.HttpResponse:
    return negotiate(request(method, **parts), json.dumps(INFO), classifier)  # type: ignore[arg-type]


def test_a_client_gets_url_and_token_as_json_that_nobody_keeps(classifier: Classifier) -> None:
    response = ask(classifier)

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert json.loads(response.get_body()) == INFO
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_a_page_elsewhere_may_send_what_the_javascript_client_adds(classifier: Classifier) -> None:
    response = ask(classifier, "OPTIONS")
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert {"X-Requested-With", "X-SignalR-User-Agent", "Authorization"} <= set(allowed)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer no"}, 401), ({"Authorization": "Bearer key"}, 200)],
)
def test_where_there_are_keys_a_client_sends_one(
    classifier: Classifier, headers: dict[str, str], status: int
) -> None:
    locked = Classifier(replace(classifier.settings, api_keys=("key",)))
    response = ask(locked, headers=headers)

    assert response.status_code == status
    assert (b"accessToken" in response.get_body()) == (status == 200)


def test_outside_development_nobody_gets_in_without_keys_or_allow_anonymous(
    classifier: Classifier,
) -> None:
    azure = replace(classifier.settings, development=False)
    closed = ask(Classifier(azure))
    opened = ask(Classifier(replace(azure, allow_anonymous=True)))

    assert json.loads(closed.get_body())["error"]["code"] == "Unauthorized"
    assert (closed.status_code, opened.status_code) == (401, 200)


def test_it_asks_for_the_hub_that_the_queue_sends_to() -> None:
    def binding(function: str, kind: str) -> dict[str, str]:
        text = (ROOT / function / "function.json").read_text("utf-8")
        (found,) = (each for each in json.loads(text)["bindings"] if each["type"] == kind)
        return {key: found[key] for key in ("hubName", "connectionStringSetting")}

    hub = binding("negotiate", "signalRConnectionInfo")

    assert hub == binding("classify_queue", "signalR")
    assert hub["hubName"] == "imageclassification"


@contextmanager
def endpoint(classifier: Classifier, stand_in: RunningEmulator) -> Iterator[str]:
    """The endpoint behind a socket, with what the binding would give it; yields the URL of /api."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            assert self.path == "/api/negotiate?negotiateVersion=1"
            sent = request("POST", headers=dict(self.headers))
            response = negotiate(sent, json.dumps(stand_in.info()), classifier)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", str(response.mimetype))
            self.end_headers()
            self.wfile.write(response.get_body())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def test_the_javascript_client_follows_the_answer_to_the_service(classifier: Classifier) -> None:
    locked = Classifier(replace(classifier.settings, api_keys=("key",)))
    with NodeClients() as clients, RunningEmulator() as stand_in, endpoint(locked, stand_in) as url:
        # The client sends this token to the endpoint only; the service gets the one in the answer.
        clients.tell("connect", "with key", url=url, token="key")
        clients.wait_for("with key", "connected")
        stand_in.send("hello")
        clients.wait_for("with key", "message")
        clients.tell("connect", "without", url=url)
        refusal = clients.wait_for("without", "refused")["error"]

    assert clients.messages("with key") == [["hello"]]
    assert "401" in refusal
