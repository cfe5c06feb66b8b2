"""The REST application by itself: bodies that do not come, and being ended meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.service import TensorFlowServing
from model_server.metrics import Metrics
from model_server.rest.application import RestApplication

LIMIT_SECONDS = 10
SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1/models/digits:predict",
    "raw_path": b"/v1/models/digits:predict",
    "query_string": b"",
    "headers": [],
}


class Caller:
    """Sends half a body, and keeps what is answered."""

    def __init__(self) -> None:
        self.has_sent = asyncio.Event()
        self.answered: list[dict[str, Any]] = []
        self.waits = 0

    async def receive(self) -> dict[str, Any]:
        if self.has_sent.is_set():
            self.waits += 1
            assert self.waits < 3, "the body is still waited for"
            await asyncio.Event().wait()
        self.has_sent.set()
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(self, message: Any) -> None:
        self.answered.append(message)

    @property
    def status(self) -> int:
        return int(self.answered[0]["status"])

    @property
    def error(self) -> str:
        return str(json.loads(self.answered[1]["body"])["error"])


@pytest.fixture(scope="module")
def serving() -> TensorFlowServing:
    return TensorFlowServing(Classifier(Settings.from_environ({})))


def run(test: Coroutine[Any, Any, Caller]) -> Caller:
    """Runs a test that waits; a wait that never ends fails it."""

    async def within_limit() -> Caller:
        return await asyncio.wait_for(test, LIMIT_SECONDS)

    return asyncio.run(within_limit())


def endpoint(serving: TensorFlowServing, timeout_seconds: float) -> RestApplication:
    return RestApplication(serving, Metrics(), threads=1, timeout_seconds=timeout_seconds)


def test_a_body_that_stops_coming_is_not_waited_for_for_ever(serving: TensorFlowServing) -> None:
    async def ask() -> Caller:
        caller = Caller()
        await endpoint(serving, 0.05)(SCOPE, caller.receive, caller.send)
        return caller

    caller = run(ask())
    assert caller.status == 504
    assert "No more of the body has come for 0.05 s" in caller.error
    assert (b"connection", b"close") in caller.answered[0]["headers"]


def test_who_is_still_sending_when_the_server_ends_is_told_so(serving: TensorFlowServing) -> None:
    async def ask() -> Caller:
        caller = Caller()
        asking = asyncio.create_task(endpoint(serving, 60)(SCOPE, caller.receive, caller.send))
        await caller.has_sent.wait()
        asking.cancel()
        await asking
        return caller

    caller = run(ask())
    assert caller.status == 503
    assert caller.error == "The server is being stopped."
