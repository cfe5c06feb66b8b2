"""Real queues in the emulator, with failures as ``classify_queue`` writes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from image_classifier import Classifier, Settings
from image_classifier.bindings.classify_queue import classify_message
from image_classifier.bindings.queue_message import read_message
from tests.support.azurite import Queue
from tests.support.builders import queue_message
from tests.support.servers import ROOT
from tools.azurite import Azurite
from tools.drain_report.__main__ import main
from tools.drain_report.depth import Depth, Meter
from tools.drain_report.requeue import requeue
from tools.drain_report.show import as_line
from tools.shared.errors import ToolError
from tools.shared.queue_client import encode, open_queue

Run = Callable[..., "Ran"]


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Ran(NamedTuple):
    status: int
    out: str
    err: str


class Queues(NamedTuple):
    images: Queue
    failed: Queue
    poison: Queue


@pytest.fixture
def queues(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Three queues of their own; only the first one is there."""
    monkeypatch.setenv("AzureWebJobsStorage", azurite.connection_string)
    images = Queue(azurite)
    return Queues(images, Queue(azurite, f"{images.name}-failed", create=False), images.poison)


@pytest.fixture
def run(queues: Queues, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, in this process, for those queues."""

    def command(*arguments: str) -> Ran:
        try:
            status = main([*arguments, "--queue", queues.images.name])
        except SystemExit as exc:
            status = int(exc.code or 0)
        return Ran(status, *capsys.readouterr())

    return command


@pytest.fixture
def failure_of(settings: Settings) -> Callable[[str | dict[str, Any]], str]:
    """What ``classify_queue`` writes to ``images-failed`` for a message."""
    classifier = Classifier(settings)

    def failed(body: str | dict[str, Any]) -> str:
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        outcome = classify_message(queue_message(text), classifier)
        assert outcome.failed is not None
        return outcome.failed

    return failed


BLOCKED = {"id": "r-1", "url": "http://169.254.169.254/a.png?sig=secret"}
UNKNOWN = {"id": "r-2", "url": "https://example.com/ä.png", "model": "cats", "version": 2}


# --- The report


def test_the_table_shows_how_many_there_are_and_why_images_failed(
    run: Run, queues: Queues, failure_of: Callable[[Any], str]
) -> None:
    queues.images.put(*["https://example.com/a.png"] * 5)
    queues.failed.create()
    queues.failed.put(*[failure_of(body) for body in (BLOCKED, UNKNOWN, BLOCKED, "{")], "hello")
    ran = run()
    name = queues.images.name
    rows = [line.split(maxsplit=2) for line in ran.out.splitlines()]

    assert ran.status == 0, ran.err
    assert rows[1:4] == [[name, "5"], [f"{name}-failed", "5"], [f"{name}-poison", "no", "queue"]]
    assert "the oldest 5 of about 5" in ran.out
    codes = {row[1]: row[0] for row in rows[6:10]}
    assert codes == {
        "FetchBlocked": "2",
        "UnknownModel": "1",
        "InvalidRequest": "1",
        "unreadable": "1",
    }
    assert f"--requeue failed --queue {name}" in ran.out
    assert "secret" not in ran.out
    assert "poison failed too often" not in ran.out
    assert (queues.failed.depth(), len(queues.failed.visible())) == (5, 5)


def test_poisoned_messages_come_with_a_hint(run: Run, queues: Queues) -> None:
    queues.poison.create()
    queues.poison.put("https://example.com/a.png")
    ran = run()

    assert f"What is in {queues.images.name}-poison failed too often" in ran.out
    assert "--requeue poison" in ran.out


def test_json_has_the_same_in_it(
    run: Run, queues: Queues, failure_of: Callable[[Any], str]
) -> None:
    queues.failed.create()
    queues.failed.put(failure_of(BLOCKED))
    report = json.loads(run("--json").out)

    assert sorted(report) == ["at", "failures", "queues"]
    assert report["queues"][:2] == [
        {
            "name": name,
            "approximateMessages": count,
            "changePerSecond": None,
            "secondsToEmpty": None,
        }
        for name, count in ((queues.images.name, 0), (queues.failed.name, 1))
    ]
    assert report["queues"][2]["approximateMessages"] is None
    assert report["failures"] == {"peeked": 1, "codes": {"FetchBlocked": 1}}


def test_odd_messages_among_the_failed_ones_do_no_harm(run: Run, queues: Queues) -> None:
    queues.failed.create()
    odd = ["[]", "5", "null", "{}", '{"error": 5}', '{"error": {"code": []}}', '{"error": {}}']
    queues.failed.put(*odd, "[" * 5000)
    queues.failed.put("not base64", "", encode=False)
    ran = run()

    assert ran.status == 0
    assert "10  unreadable" in ran.out


def test_rates_and_the_time_left_come_from_what_was_seen(queues: Queues) -> None:
    meter = Meter([open_queue(queues.images.name)])
    queues.images.put(*["x"] * 9)
    (first,) = meter.read(100.0)
    queues.images.put("x")
    (rising,) = meter.read(102.0)
    taken = len(queues.images.take())
    queues.images.put(*["x"] * 4)
    (falling,) = meter.read(105.0)
    (steady,) = meter.read(125.0)
    (still,) = meter.read(126.0)

    assert taken == 10
    assert first == Depth(queues.images.name, 9, None)
    assert rising == Depth(queues.images.name, 10, 0.5)
    assert rising.seconds_to_empty is None
    assert falling == Depth(queues.images.name, 4, -1.0)
    assert falling.seconds_to_empty == 4
    # What lies longer back than ten seconds does not count.
    assert (steady.per_second, still.per_second) == (0, 0)


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (Depth("images", 1234), "images 1,234"),
        (Depth("images", None), "images no queue"),
        (Depth("images", 1234, 5.25), "images 1,234 (+5.2/s)"),
        (Depth("images", 50, -10.0), "images 50 (-10.0/s, empty in 5 s)"),
        (Depth("images", 60_000, -10.0), "images 60,000 (-10.0/s, empty in 1 h 40 min)"),
        (Depth("images", 1_000_000, -50.0), "images 1,000,000 (-50.0/s, empty in 5 h 33 min)"),
    ],
)
def test_a_line_is_short(depth: Depth, words: str) -> None:
    line = as_line([depth])

    assert line[8:] == f"   {words}"


@posix_only
def test_watching_goes_on_until_ctrl_c(azurite: Azurite, queues: Queues) -> None:
    queues.images.put("https://example.com/a.png")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tools.drain_report"),
            *("--watch", "0.1", "--json", "--queue", queues.images.name),
        ],
        cwd=ROOT,
        env={**os.environ, "AzureWebJobsStorage": azurite.connection_string},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        reports = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert err == ""
    assert [report["queues"][0]["approximateMessages"] for report in reports] == [1, 1, 1]
    assert [report["queues"][0]["changePerSecond"] for report in reports] == [None, 0, 0]


@pytest.mark.parametrize(
    "arguments", [["--watch", "0"], ["--requeue", "images"], ["--count", "-1"], ["--watch", "x"]]
)
def test_an_option_that_is_off_is_refused(arguments: list[str], run: Run) -> None:
    assert run(*arguments).status == 2


def test_a_storage_that_cannot_be_used_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "nonsense")
    ran = run()

    assert ran.status == 1
    assert ran.err.startswith("error: AzureWebJobsStorage is not a connection string")


# --- Putting back


def test_failed_images_go_back_as_they_were_asked_for(
    run: Run, queues: Queues, failure_of: Callable[[Any], str]
) -> None:
    queues.failed.create()
    queues.failed.put(*[failure_of(body) for body in (BLOCKED, UNKNOWN, "{", "https://h:0:0/")])
    queues.failed.put("not base64", encode=False)
    ran = run("--requeue", "failed")
    texts = queues.images.texts()

    assert ran.status == 0, ran.err
    assert [json.loads(text) for text in texts] == [
        BLOCKED,
        UNKNOWN,
        {"id": "queue-id", "url": "https://h:0:0/"},
    ]
    assert all(read_message(queue_message(text)).problem is None for text in texts)
    assert "Put 3 messages of" in ran.out
    assert "Left 2 there: they name no URL" in ran.out
    # They are seen again at once.
    assert len(queues.failed.visible()) == queues.failed.depth() == 2


def test_poisoned_messages_go_back_to_the_letter(run: Run, queues: Queues) -> None:
    queues.poison.create()
    queues.poison.put("https://example.com/a.png?x=<&>", '{"id": "r-1", "url": "http://h/"}')
    queues.poison.put("not base64 <&>", encode=False)
    before = queues.poison.visible()
    ran = run("--requeue", "poison", "--json")

    assert json.loads(ran.out) == {"requeued": 3, "left": 0}
    assert queues.images.visible() == before
    assert queues.poison.depth() == 0


def test_count_bounds_how_many_go_back(run: Run, queues: Queues) -> None:
    queues.poison.create()
    queues.poison.put(*[f"http://h/{number}" for number in range(40)])
    run("--requeue", "poison", "--count", "35")

    assert (queues.images.depth(), queues.poison.depth()) == (35, 5)


def test_nothing_to_put_back_is_no_error(run: Run, queues: Queues) -> None:
    ran = run("--requeue", "failed")

    assert ran.status == 0
    assert "Put 0 messages" in ran.out


def test_what_fails_again_meanwhile_does_not_go_round_for_ever(queues: Queues) -> None:
    queues.poison.create()
    queues.poison.put(*["http://h/"] * 5)
    done = requeue(
        open_queue(queues.poison.name),
        open_queue(queues.images.name),
        again=str,
        progress=lambda: queues.poison.put("http://h/"),
    )

    assert done.sent == 5
    assert (queues.images.depth(), queues.poison.depth()) == (5, 5)


def test_a_message_is_deleted_only_after_it_was_sent(queues: Queues) -> None:
    """What stops in the middle leaves a message in both queues rather than in none."""
    queues.poison.create()
    queues.poison.put(*["http://h/"] * 5)
    seen: list[int] = []

    def stop_at_the_third(content: str) -> str:
        seen.append(queues.images.depth() + queues.poison.depth())
        if len(seen) == 3:
            raise KeyboardInterrupt
        return content

    with pytest.raises(KeyboardInterrupt):
        requeue(
            open_queue(queues.poison.name),
            open_queue(queues.images.name),
            again=stop_at_the_third,
        )

    assert seen == [5, 5, 5]
    assert (queues.images.depth(), queues.poison.depth()) == (2, 3)


def test_a_target_that_does_not_take_messages_loses_none(queues: Queues) -> None:
    queues.poison.create()
    queues.poison.put("http://h/")
    # A message that is too long for a queue is what a healthy service refuses.
    with pytest.raises(ToolError, match=f"refused with 4.*{queues.images.name}"):
        requeue(
            open_queue(queues.poison.name),
            open_queue(queues.images.name),
            again=lambda content: encode("x" * 70_000),
        )

    assert (queues.images.depth(), queues.poison.depth()) == (0, 1)
