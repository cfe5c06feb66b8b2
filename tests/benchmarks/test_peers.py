from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import WrongAnswer
from benchmarks.peers import page, plan
from benchmarks.peers.bootstrap import difference_interval, median_interval, ratio_interval
from benchmarks.peers.goals import verdicts
from benchmarks.peers.groups import free_ports, running
from benchmarks.peers.load import Load, Outcome, send
from benchmarks.peers.measure import Asked, Measured, measure, sender
from benchmarks.peers.plan import EIGHT_CLIENTS, ONE_CLIENT, SHARES, Plan, Turn
from benchmarks.peers.results import as_data
from benchmarks.peers.servers import BARE, OURS, REFERENCE, Server, own_servers

IMAGE = b"not really an image: " + bytes(80_000)
DEMO = Path(__file__).resolve().parents[2] / "models"
needs_process_groups = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no process groups"
)


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


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture.jpg"
    file.write_bytes(IMAGE)
    return file


def sent(answers: Answers, picture: Path, **changed: Any) -> Outcome:
    wanted: dict[str, Any] = {"tag": "cat", "probability": 0.75, "seconds": 0.2}
    load = Load(port=answers.port, path="/classify", file=str(picture), **{**wanted, **changed})
    return asyncio.run(send(load))


def test_closed_loop_counts_every_answer_and_sends_the_whole_image(
    answers: Answers, picture: Path
) -> None:
    outcome = sent(answers, picture, clients=3)

    assert outcome.errors == []
    assert len(outcome.latencies) == len(answers.bodies) > 3
    assert set(answers.bodies) == {len(IMAGE)}
    assert outcome.per_second > 0
    assert answers.most_at_once <= 3


def test_connections_are_kept(answers: Answers, picture: Path) -> None:
    sent(answers, picture, clients=2)

    assert len(answers.connections) == 2


def test_a_server_that_closes_connections_is_no_error(answers: Answers, picture: Path) -> None:
    answers.closes = True

    outcome = sent(answers, picture)

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
    answers: Answers, picture: Path, changed: dict[str, Any], words: str
) -> None:
    for name, value in changed.items():
        setattr(answers, name, value)

    outcome = sent(answers, picture)

    assert outcome.latencies == []
    assert words in outcome.errors[0]


def test_nobody_there_is_an_error(picture: Path) -> None:
    (port,) = free_ports(1)

    outcome = sent(Answers(port=port), picture)

    assert outcome.latencies == []
    assert 0 < len(outcome.errors) <= 20


def test_open_loop_keeps_its_schedule_whatever_the_answers_take(
    answers: Answers, picture: Path
) -> None:
    answers.seconds = 0.3  # ten times the time between two requests

    outcome = sent(answers, picture, rate=30, seconds=0.5)

    assert outcome.errors == []
    assert len(outcome.latencies) == len(outcome.late) == 15
    assert min(outcome.late) >= 0
    assert answers.most_at_once > 5  # a closed loop would have waited
    assert min(outcome.latencies) >= 300


def test_the_load_process_does_one_load_after_the_other(answers: Answers, picture: Path) -> None:
    load = Load(
        port=answers.port, path="/", file=str(picture), tag="cat", probability=0.75, seconds=0.05
    )
    with sender() as source:
        outcomes = [source.send(load), source.send(load)]

    assert all(outcome.latencies and not outcome.errors for outcome in outcomes)
    assert sum(len(outcome.latencies) for outcome in outcomes) == len(answers.bodies)


def test_interval_of_equal_rounds_is_a_point() -> None:
    interval = ratio_interval([2.0] * 6, [4.0] * 6)

    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_interval_holds_the_median_and_narrows_with_more_rounds() -> None:
    few = median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    many = median_interval([1.0, 2.0, 3.0, 4.0, 5.0] * 40)

    assert few.value == many.value == 3.0
    assert (few.low, few.high) == (1.0, 5.0)
    assert 2.0 <= many.low <= 3.0 <= many.high <= 4.0


def test_differences_are_taken_round_by_round() -> None:
    # The machine got slower from round to round; ours is always 1 more.
    interval = difference_interval([2.0, 11.0, 101.0], [1.0, 10.0, 100.0])

    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)


def server(who: str, workers: int) -> Server:
    return Server(who=who, workers=workers, command=lambda port: [], path="/", health="/")


SERVERS = [server(who, workers) for who in (OURS, REFERENCE, BARE, "Peer") for workers in (1, 2)]


def test_turns_are_interleaved_and_the_first_one_changes() -> None:
    rounds = Plan(rounds=4, peer_rounds=2)

    turns = list(plan.closed_turns(SERVERS, EIGHT_CLIENTS, rounds))

    by_round = [[t.server.name for t in turns if t.round == number] for number in range(4)]
    assert [len(names) for names in by_round] == [8, 6, 8, 6]
    assert len({names[0] for names in by_round}) == 4
    assert [turn.round for turn in turns] == sorted(turn.round for turn in turns)
    assert {t.server.workers for t in plan.closed_turns(SERVERS, ONE_CLIENT, rounds)} == {1}


def outcomes(rates: dict[str, float], *, error: bool = False) -> Measured:
    """As a run would give them: latencies follow from the rates."""
    found = Measured()
    for one in SERVERS:
        for load in (EIGHT_CLIENTS, ONE_CLIENT, *SHARES):
            for number in range(3):
                ms = 1000 / rates[one.who]
                wrong = ["status 500"] if error and one.who == "Peer" else []
                outcome = Outcome([ms, ms, ms * 1.5], rates[one.who] * one.workers, wrong)
                found.add(Turn(one, load, number), outcome)
    return found


def test_promises_that_are_kept_and_missed() -> None:
    good = verdicts(outcomes({OURS: 99, REFERENCE: 100, BARE: 100, "Peer": 90}), SERVERS)
    bad = verdicts(outcomes({OURS: 80, REFERENCE: 100, BARE: 100, "Peer": 90}, error=True), SERVERS)

    assert all(verdict.met for verdict in good)
    kept = [verdict.text for verdict in bad if verdict.met]
    assert [text[:12] for text in kept] == ["p99 / median"] * 2
    assert any("0.800 (95 %: 0.800 to 0.800)" in verdict.measured for verdict in bad)


def test_page_shows_every_server_and_missed_goals(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    found = outcomes({OURS: 80, REFERENCE: 100, BARE: 100, "Peer": 90})
    data = as_data(
        {"Machine": "this one"}, {"bentoml": "no wheel"}, SERVERS, found, verdicts(found, SERVERS)
    )

    page.write(json.loads(json.dumps(data)), tmp_path / "peers.md")

    text = (tmp_path / "peers.md").read_text("utf-8")
    for words in ("this one", "no wheel", "MISSED", "Peer", *SHARES):
        assert words in text
    for plot in ("peers-throughput.svg", "peers-latency.svg"):
        assert plot in text
        assert "Peer" in (tmp_path / plot).read_text("utf-8")


ALWAYS_CAT = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()
    def do_GET(self):
        body = b'{"predictedTagName": "cat", "prediction": [{"tagName": "cat", "probability": 1}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # five, the default, resets the connections of a crowd
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def always_cat(workers: int) -> Server:
    return Server(
        who=REFERENCE,
        workers=workers,
        command=lambda port: [sys.executable, "-c", ALWAYS_CAT, str(port)],
        path="/classify",
        health="/health",
    )


@needs_process_groups
def test_whole_plan_is_measured_and_every_load_is_there(picture: Path) -> None:
    small = Plan(0.05, 2, 1, 0.05, 1, 0.05)

    found = measure(
        [always_cat(1), always_cat(2)], Asked(file=picture, tag="cat", probability=1.0), small
    )

    one, two = "reference, 1 worker", "reference, 2 workers"
    rounds = {key: len(values) for key, values in found.outcomes.items()}
    assert rounds == {
        (one, EIGHT_CLIENTS): 2,
        (two, EIGHT_CLIENTS): 2,
        (one, ONE_CLIENT): 2,
        **{(two, load): 1 for load in SHARES},
    }
    assert found.errors() == []
    assert found.answers() > 0


@needs_process_groups
def test_a_server_that_answers_wrongly_ends_the_run(picture: Path) -> None:
    asked = Asked(file=picture, tag="dog", probability=1.0)

    with pytest.raises(WrongAnswer, match="cat with 1, it should be dog"):
        measure([always_cat(1)], asked, Plan(warm_up_seconds=0.05))


@needs_process_groups
def test_a_server_that_does_not_start_ends_the_run_with_its_last_words(picture: Path) -> None:
    broken = Server(
        who=REFERENCE,
        workers=1,
        command=lambda port: [sys.executable, "-c", "raise SystemExit('no such model')"],
        path="/",
        health="/",
    )

    with pytest.raises(WrongAnswer, match="no such model"):
        measure([broken], Asked(file=picture, tag="cat", probability=1.0), Plan())


@needs_process_groups
def test_a_reference_is_started_measured_and_ended(tmp_path: Path, picture: Path) -> None:
    reference = next(s for s in own_servers(DEMO, "digits") if (s.who, s.workers) == (REFERENCE, 1))
    (port,) = free_ports(1)
    with running(reference, port) as group:
        group.wait_until_healthy()
        outcome = sent(Answers(port=port), picture)
    assert "status 500" in outcome.errors[0]  # it decodes: this is no image
    assert group.process.poll() is not None
