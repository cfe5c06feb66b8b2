"""The comparison of the prediction API runs against a real host, and notices a wrong answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from msrest.authentication import ApiKeyCredentials

from benchmarks.data.workload import Workload
from benchmarks.entries.custom_vision import (
    BOUNDARY,
    CLASSIFY,
    CONTAINER,
    FORM,
    OCTETS,
    PROJECT,
    images_case,
    sdk_form,
)
from benchmarks.harness.case import MILLISECONDS, RATE, WrongAnswer
from benchmarks.harness.measure import run_case
from benchmarks.load.process import Sender, sender
from benchmarks.servers.app_host import local_host, wait_until_ready


@pytest.fixture(scope="module")
def port(demo: Workload) -> Iterator[int]:
    with local_host(demo.environ()) as (program, port):
        wait_until_ready(program, port)
        yield port


@pytest.fixture(scope="module")
def source() -> Iterator[Sender]:
    with sender() as made:
        yield made


def test_all_four_ways_answer_the_same_load(demo: Workload, port: int, source: Sender) -> None:
    case = images_case(demo, port, source, quick=True)
    samples = run_case(replace(case, warm_up_rounds=0))

    assert set(samples.implementations()) == {CLASSIFY, OCTETS, FORM, CONTAINER}
    for name in samples.implementations():
        assert samples.values(name, None, RATE)[0] > 0
        assert samples.values(name, None, MILLISECONDS)
    assert len(case.notes(samples)) == 3
    assert [goal.limit for goal in case.goals] == [0.9, 0.9]
    assert all(goal.value(samples) > 0 for goal in case.goals)


@pytest.mark.parametrize("way", [OCTETS, FORM, CONTAINER])
def test_a_wrong_answer_ends_the_run(demo: Workload, port: int, source: Sender, way: str) -> None:
    case = images_case(demo, port, source, quick=True)
    file = demo.models_dir / f"{way.replace('/', '')}.body"
    assert file.is_file()
    other = demo.images["small.jpg"]  # the model sees something else in it
    file.write_bytes(sdk_form(other)[0] if way == FORM else other)

    with pytest.raises(WrongAnswer, match="it should be"):
        case.implementations[way](b"")


def test_the_form_is_the_python_sdks_to_the_byte() -> None:
    sent: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append((self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    data = b"\xff\xd8\r\n--not the end\x00"
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        client: Any = CustomVisionPredictionClient  # has no types
        key = ApiKeyCredentials(in_headers={"Prediction-key": "any"})
        sdk = client(f"http://127.0.0.1:{server.server_port}", key)
        sdk.classify_image(PROJECT, "Iteration1", data)
        thread.join()
    [(content_type, body)] = sent
    boundary = content_type.partition("boundary=")[2]
    form, form_type = sdk_form(data)

    assert len(boundary) == len(BOUNDARY)
    assert content_type.replace(boundary, BOUNDARY) == form_type
    assert body.replace(boundary.encode(), BOUNDARY.encode()) == form
