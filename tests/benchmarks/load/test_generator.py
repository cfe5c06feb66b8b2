"""The load generator against a real server whose answers the tests choose."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load.generator import send
from benchmarks.load.plan import Load, Outcome
from benchmarks.load.process import sender
from benchmarks.servers.app_host import free_ports


@dataclass
class Answers:
    """A real server whose answers a test chooses, and what it was asked."""

    port: int = 0
    status: int = 200
    tag: str = "cat"
    probability: float = 0.75
    seconds: float = 0.0
    closes: bool = False
    bodies: list[int] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes, client: Any) -> bytes:
        with self._lock:
            self.bodies.append(len(body))
            self.connections.add(client)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.seconds)
        with self._lock:
            self._now -= 1
        tags = [{"tagName": self.tag, "probability": self.probability}]
        return json.dumps({"predictedTagName": self.tag, "prediction": tags}).encode()


@pytest.fixture
def answers() -> Iterator[Answers]:
    state = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        timeout = 5  # a connection that the client leaves open must not hold up the end

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = state.answer(body, self.client_address)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(answer)))
            if state.closes:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def sent(answers: Answers, image: Path, **changed: Any) -> Outcome:
    wanted: dict[str, Any] = {"tag": "cat", "probability": 0.75, "seconds": 0.2}
    load = Load(port=answers.port, path="/classify", file=str(image), **{**wanted, **changed})
    return asyncio.run(send(load))


def test_closed_loop_counts_every_answer_and_sends_the_whole_image(
    answers: Answers, image: Path
) -> None:
    outcome = sent(answers, image, clients=3)

    assert outcome.errors == []
    assert len(outcome.latencies) == len(answers.bodies) > 3
    assert set(answers.bodies) == {image.stat().st_size}
    assert outcome.per_second > 0
    assert answers.most_at_once <= 3


def test_connections_are_kept(answers: Answers, image: Path) -> None:
    sent(answers, image, clients=2)

    assert len(answers.connections) == 2


def test_a_server_that_closes_connections_is_no_error(answers: Answers, image: Path) -> None:
    answers.closes = True

    outcome = sent(answers, image)

    assert outcome.errors == []
    assert len(answers.connections) == len(outcome.latencies) > 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"status": 500}, "status 500"),
        ({"tag": "dog"}, "dog with 0.75, it should be cat"),
        ({"probability": 0.7}, "cat with 0.7, it should be cat with 0.75"),
    ],
)
def test_a_wrong_answer_is_an_error_and_no_answer(
    answers: Answers, image: Path, changed: dict[str, Any], words: str
) -> None:
    for name, value in changed.items():
        setattr(answers, name, value)

    outcome = sent(answers, image)

    assert outcome.latencies == []
    assert words in outcome.errors[0]


def test_nobody_there_is_an_error(image: Path) -> None:
    (port,) = free_ports(1)

    outcome = sent(Answers(port=port), image)

    assert outcome.latencies == []
    assert 0 < len(outcome.errors) <= 20


def test_open_loop_keeps_its_schedule_whatever_the_answers_take(
    answers: Answers, image: Path
) -> None:
    answers.seconds = 0.3  # ten times the time between two requests

    outcome = sent(answers, image, rate=30, seconds=0.5)

    assert outcome.errors == []
    assert len(outcome.latencies) == len(outcome.late) == 15
    assert min(outcome.late) >= 0
    assert answers.most_at_once > 5  # a closed loop would have waited
    assert min(outcome.latencies) >= 300


@pytest.mark.process
def test_the_load_process_does_one_load_after_the_other(answers: Answers, image: Path) -> None:
    load = Load(
        port=answers.port, path="/", file=str(image), tag="cat", probability=0.75, seconds=0.05
    )
    with sender() as source:
        outcomes = [source.send(load), source.send(load)]

    assert all(outcome.latencies and not outcome.errors for outcome in outcomes)
    assert sum(len(outcome.latencies) for outcome in outcomes) == len(answers.bodies)
