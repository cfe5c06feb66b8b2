from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks import ROOT
from benchmarks.__main__ import Entry, main
from benchmarks.data.workload import Workload
from benchmarks.harness.case import WrongAnswer
from benchmarks.harness.records import Part
from benchmarks.load.generator import send
from benchmarks.load.plan import Load, Outcome
from benchmarks.peers import entry, environments, schedule
from benchmarks.peers.app_packages import app_packages, requirements_of
from benchmarks.peers.confidence import difference_interval, median_interval, ratio_interval
from benchmarks.peers.environments import NotInstalled
from benchmarks.peers.goals import verdicts
from benchmarks.peers.measure import Asked, Measured, measure
from benchmarks.peers.process_groups import running
from benchmarks.peers.schedule import EIGHT_CLIENTS, ONE_CLIENT, SHARES, Plan, Turn
from benchmarks.peers.servers import BARE, OURS, REFERENCE, Server, own_servers, peer_servers
from benchmarks.servers.app_host import free_ports
from tools.bootstrap.environments import venv_python

DEMO = Path(__file__).resolve().parents[2] / "models"
needs_process_groups = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no process groups"
)


def test_interval_of_equal_rounds_is_a_point() -> None:
    interval = ratio_interval({0: [2.0] * 3, 1: [2.0] * 3}, {0: [4.0] * 3, 1: [4.0] * 3})

    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_interval_holds_the_median_and_narrows_with_more_blocks() -> None:
    few = median_interval({n: [n + 1.0] for n in range(5)})
    many = median_interval({n: [n % 5 + 1.0] for n in range(200)})

    assert few.value == many.value == 3.0
    assert (few.low, few.high) == (1.0, 5.0)
    assert 2.0 <= many.low <= 3.0 <= many.high <= 4.0


def test_more_rounds_of_the_same_processes_do_not_make_it_surer() -> None:
    few = median_interval({n: [n + 1.0] for n in range(5)})
    more = median_interval({n: [n + 1.0] * 50 for n in range(5)})

    assert (more.low, more.high) == (few.low, few.high)


def test_differences_are_taken_round_by_round() -> None:
    # The machine got slower from round to round; ours is always 1 more.
    interval = difference_interval(
        {0: [2.0, 11.0], 1: [101.0, 5.0]}, {0: [1.0, 10.0], 1: [100.0, 4.0]}
    )

    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)


def server(who: str, workers: int) -> Server:
    return Server(who=who, workers=workers, command=lambda port: [], path="/", health="/")


SERVERS = [server(who, workers) for who in (OURS, REFERENCE, BARE, "Peer") for workers in (1, 2)]


def test_turns_are_interleaved_and_the_first_one_changes() -> None:
    rounds = Plan(blocks=4, rounds=2, one_client_rounds=3)

    blocks = [list(schedule.closed_turns(SERVERS, EIGHT_CLIENTS, n, rounds)) for n in range(4)]
    one_client = list(schedule.closed_turns(SERVERS, ONE_CLIENT, 1, rounds))

    names = [[[t.server.name for t in turns if t.round == n] for n in (0, 1)] for turns in blocks]
    assert [[len(one) for one in block] for block in names] == [[8, 6]] * 4
    assert len({one[0] for block in names for one in block}) > 4
    assert [[turn.round for turn in turns] for turns in blocks] == [
        sorted(turn.round for turn in turns) for turns in blocks
    ]
    assert [(turn.block, turn.server.workers) for turn in one_client] == [(1, 1)] * 10


def outcomes(rates: dict[str, float], *, error: bool = False) -> Measured:
    """As a run would give them: latencies follow from the rates."""
    found = Measured()
    for one in SERVERS:
        for load in (EIGHT_CLIENTS, ONE_CLIENT, *SHARES):
            for number in range(4):
                ms = 1000 / rates[one.who]
                wrong = ["status 500"] if error and one.who == "Peer" else []
                outcome = Outcome([ms, ms, ms * 1.5], rates[one.who] * one.workers, wrong)
                found.add(Turn(one, load, number // 2, number % 2), outcome)
    return found


def test_promises_that_are_kept_and_missed() -> None:
    good = verdicts(outcomes({OURS: 99, REFERENCE: 100, BARE: 100, "Peer": 90}), SERVERS)
    bad = verdicts(outcomes({OURS: 80, REFERENCE: 100, BARE: 100, "Peer": 90}, error=True), SERVERS)

    assert all(verdict.met for verdict in good)
    kept = [verdict.text for verdict in bad if verdict.met]
    assert [text[:12] for text in kept] == ["p99 / median"] * 2
    assert any("0.800 (95 %: 0.800 to 0.800)" in verdict.measured for verdict in bad)


def test_every_load_is_a_part_of_the_report_with_the_best_server_on_top() -> None:
    found = outcomes({OURS: 80, REFERENCE: 100, BARE: 100, "Peer": 90}, error=True)

    parts = list(entry.as_parts(found, verdicts(found, SERVERS), "a cat", ["no BentoML"]))

    cases = [part.case for part in parts if part.case is not None]
    assert [case["name"] for case in cases] == [EIGHT_CLIENTS, ONE_CLIENT, *SHARES]
    assert cases[0]["notes"] == ["no BentoML"]
    assert cases[0]["figures"][0]["implementation"] == "reference, 2 workers"
    assert {"ours, 1 worker", "Peer, 2 workers"} < {
        row["implementation"] for row in cases[0]["figures"]
    }
    assert not all(goal.met for goal in parts[0].goals)
    assert parts[0].errors[0].startswith("Peer, 1 worker, 8 clients: status 500")


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


@pytest.mark.process
@needs_process_groups
def test_whole_plan_is_measured_and_every_load_is_there(image: Path) -> None:
    small = Plan(
        warm_up_seconds=0.05,
        blocks=2,
        rounds=1,
        seconds=0.05,
        one_client_rounds=2,
        one_client_seconds=0.05,
        open_rounds=1,
        open_seconds=0.05,
    )

    found = measure(
        [always_cat(1), always_cat(2)], Asked(file=image, tag="cat", probability=1.0), small
    )

    one, two = "reference, 1 worker", "reference, 2 workers"
    rounds = {key: len(values) for key, values in found.outcomes.items()}
    assert rounds == {
        (one, EIGHT_CLIENTS): 2,
        (two, EIGHT_CLIENTS): 2,
        (one, ONE_CLIENT): 4,
        **{(two, load): 1 for load in SHARES},
    }
    assert found.errors() == []
    assert found.answers() > 0
    assert {block: len(values) for block, values in found.medians(one, ONE_CLIENT).items()} == {
        0: 2,
        1: 2,
    }


@pytest.mark.process
@needs_process_groups
def test_a_server_that_answers_wrongly_ends_the_run(image: Path) -> None:
    asked = Asked(file=image, tag="dog", probability=1.0)

    with pytest.raises(WrongAnswer, match="cat with 1, it should be dog"):
        measure([always_cat(1)], asked, Plan(warm_up_seconds=0.05))


@pytest.mark.process
@needs_process_groups
def test_a_server_that_does_not_start_ends_the_run_with_its_last_words(image: Path) -> None:
    broken = Server(
        who=REFERENCE,
        workers=1,
        command=lambda port: [sys.executable, "-c", "raise SystemExit('no such model')"],
        path="/",
        health="/",
    )

    with pytest.raises(WrongAnswer, match="no such model"):
        measure([broken], Asked(file=image, tag="cat", probability=1.0), Plan())


@needs_process_groups
def test_a_reference_is_started_measured_and_ended(tmp_path: Path, image: Path) -> None:
    reference = next(s for s in own_servers(DEMO, "digits") if (s.who, s.workers) == (REFERENCE, 1))
    (port,) = free_ports(1)
    with running(reference, port) as group:
        group.wait_until_healthy()
        load = Load(
            port=port, path="/classify", file=str(image), tag="7", probability=1, seconds=0.2
        )
        outcome = asyncio.run(send(load))
    assert "status 500" in outcome.errors[0]  # it decodes: this is no image
    assert not group.program.is_running()


@pytest.mark.process
def test_a_peers_environment_has_the_packages_that_the_apps_code_imports() -> None:
    """The image of one request goes through the app's own code in each of them."""
    deployed = (ROOT / "requirements.txt").read_text("utf-8")
    names = [requirement.partition("==")[0] for requirement in app_packages()]

    assert {"numpy", "onnxruntime", "pillow", "pybase64"} <= set(names)
    assert [name for name in names if not re.search(rf"(?m)^{name}==", deployed)] == []
    assert list(app_packages()) == [f"{name}=={metadata.version(name)}" for name in names]


def test_packages_are_found_by_the_modules_that_were_imported() -> None:
    modules = ["json", "PIL.Image", "PIL", "pybase64._pybase64", "benchmarks", "image_classifier"]

    names = [requirement.partition("==")[0] for requirement in requirements_of(modules)]

    assert names == ["pillow", "pybase64"]


@pytest.mark.process
def test_an_environment_whose_stamp_fits_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / ".venv-peer-litserve"
    folder.mkdir()
    requested = "\n".join([environments.PYTHON, environments.PEERS["litserve"], *app_packages()])
    (folder / environments.STAMP).write_text(requested, "utf-8")

    python = environments.peer_python("litserve", tmp_path)

    assert python == venv_python(folder)
    assert [path.name for path in folder.iterdir()] == [environments.STAMP]


@pytest.mark.process
@needs_process_groups
def test_a_peer_is_measured_beside_the_app(
    demo: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    """The quick form of ``python -m benchmarks peers``: one peer, one worker each, for real."""
    try:
        peers = peer_servers("litserve", demo.folder, worker_counts=[1])
    except NotInstalled as exc:
        if not re.search("(?i)connection|resolution|timed out|could not fetch", str(exc)):
            raise
        pytest.skip(f"the package index cannot be reached: {exc}")
    servers = [*own_servers(demo.models_dir, demo.model, worker_counts=[1]), *peers]
    short = Plan(
        warm_up_seconds=0.1,
        blocks=1,
        rounds=1,
        seconds=0.3,
        one_client_rounds=1,
        one_client_seconds=0.3,
    )

    def parts(quick: bool) -> Iterator[Part]:
        yield from entry.measured_parts(entry.subject(demo), servers, short)

    assert main(["peers", "--quick"], {"peers": Entry("the app and a peer", 1, parts)}) == 0
    shown = capsys.readouterr().out
    for words in ("ours, 1 worker", "reference, 1 worker", "LitServe, 1 worker", "1 client"):
        assert words in shown
    assert re.search(r"errors and wrong answers +\| 0 +\| 0 of \d+ +\| met", shown)
