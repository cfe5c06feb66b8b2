"""The command against real servers: small ones with every fault, and the app itself."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from tests.support.azurite import wait_until
from tests.support.builders import colour_image, model_folder
from tests.support.servers import ROOT, LocalHost, free_port
from tests.support.terminals import run_on_a_terminal
from tools.compare.__main__ import main

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
NAMED = f"/customvision/v3.0/Prediction/{PROJECT}/classify/iterations"
KEY_A, KEY_B = "the-first-key", "the-second-key"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Asked(NamedTuple):
    """A request as a service saw it."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class Reply(NamedTuple):
    """What a service answers; a mapping goes out as JSON."""

    body: bytes | Mapping[str, Any] = b""
    status: int = 200
    headers: Mapping[str, str] = {}


Answering = Callable[[bytes], Reply | None]


def tags(**probabilities: float) -> Reply:
    """An answer of the prediction API."""
    predictions = [
        {"probability": each, "tagId": "", "tagName": name} for name, each in probabilities.items()
    ]
    return Reply({"id": "", "project": PROJECT, "iteration": "", "predictions": predictions})


def cat(body: bytes) -> Reply:
    return tags(cat=0.75, dog=0.25)


class Service:
    """A server that answers each POST as a function of the body says; None hangs up.

    Attributes:
        asked: the requests so far.
        url: its prediction URL.
    """

    def __init__(self, answer: Answering = cat) -> None:
        self.answer, self.asked = answer, list[Asked]()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.asked.append(Asked(self.path, dict(self.headers), body, time.monotonic()))
                reply = service.answer(body)
                if reply is None:
                    self.close_connection = True
                    return
                raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                raw = raw if isinstance(raw, bytes) else raw.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client did not wait
                    self.wfile.write(raw)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.address}{NAMED}/pets/image"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Ran(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    """Makes services that end with the test."""
    made: list[Service] = []

    def make(answer: Answering = cat) -> Service:
        made.append(Service(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, whose bytes are their names."""
    root = tmp_path / "my images"
    for name in ("a.png", "b.JPG", "sub/c.gif", "sub/d.bmp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def compare(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> Callable[..., Ran]:
    """The command, in this process, on those images, at full speed, and mostly without a plot."""
    monkeypatch.delenv("PREDICTION_KEY_A", raising=False)
    monkeypatch.delenv("PREDICTION_KEY_B", raising=False)

    def run(a: str, b: str, *more: str, plot: bool = False) -> Ran:
        out = ["--out", str(tmp_path / "out"), *([] if plot else ["--no-plot"])]
        rate = [] if "--rate" in more else ["--rate", "1000"]
        arguments = ["--endpoint", a, "--endpoint", b, str(folder), *out, *rate, *more]
        try:
            status = main(arguments, pause=0.01)
        except SystemExit as exc:
            status = int(exc.code or 0)
        return Ran(status, *capsys.readouterr())

    return run


Compare = Callable[..., Ran]
Serve = Callable[..., Service]


def kept(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What answers.jsonl has, by file; a later line goes before an earlier one."""
    lines = (tmp_path / "out" / "answers.jsonl").read_text().splitlines()
    return {each["file"]: each for each in map(json.loads, lines[1:])}


def rows(table: str) -> list[list[str]]:
    """The cells of every table in a text."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def figure(ran: Ran, what: str) -> list[str]:
    """The cells beside a row's first one."""
    found = [cells[1:] for cells in rows(ran.out) if cells[0] == what]
    assert len(found) == 1, ran.out
    return found[0]


# --- What is asked


def test_both_are_sent_every_image_as_it_is_and_each_its_own_key(
    compare: Compare, service: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = service(), service()
    monkeypatch.setenv("PREDICTION_KEY_A", f" {KEY_A}\n")
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    ran = compare(f"{a.url}?code=the-query-secret", b.url.replace("/image", "/url/nostore"))

    assert ran.status == 0, ran.err
    for each in (a, b):
        assert sorted(asked.body for asked in each.asked) == [
            b"a.png",
            b"b.JPG",
            b"sub/c.gif",
            b"sub/d.bmp",
        ]
        types = {asked.headers["Content-Type"] for asked in each.asked}
        assert types == {"application/octet-stream"}
    assert {asked.headers["Prediction-Key"] for asked in a.asked} == {KEY_A}
    assert {asked.headers["Prediction-Key"] for asked in b.asked} == {KEY_B}
    assert {asked.path for asked in a.asked} == {f"{NAMED}/pets/image?code=the-query-secret"}
    assert {asked.path for asked in b.asked} == {f"{NAMED}/pets/image/nostore"}


def test_no_key_is_sent_where_there_is_none(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    compare(a.url, b.url)

    assert not [each for each in (*a.asked, *b.asked) if "Prediction-Key" in each.headers]
    assert not [each for each in (*a.asked, *b.asked) if "Authorization" in each.headers]


def test_an_address_alone_is_asked_at_the_same_path_and_to_store_nothing(
    compare: Compare, service: Serve
) -> None:
    a, b = service(), service()
    ran = compare(a.url, b.address)

    assert ran.status == 0, ran.err
    assert {each.path for each in b.asked} == {
        f"/customvision/v3.1/prediction/{PROJECT}/classify/iterations/pets/image/nostore"
    }


def test_both_are_asked_at_the_same_time(compare: Compare, service: Serve) -> None:
    side_by_side = threading.Barrier(2)

    def together(body: bytes) -> Reply:
        side_by_side.wait(20)  # breaks if the other is not asked meanwhile
        return cat(body)

    ran = compare(service(together).url, service(together).url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")


def test_a_limit_takes_images_from_everywhere(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(6):
        (folder / f"z{number}.png").write_bytes(f"z{number}".encode())
    a = service()
    compare(a.url, service().url, "--limit", "5")

    assert sorted(each.body for each in a.asked) == [b"a.png", b"sub/c.gif", b"z0", b"z2", b"z4"]


def test_a_rate_is_kept(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    started = time.monotonic()
    compare(a.url, b.url, "--rate", "10")

    for each in (a, b):
        assert each.asked[-1].at - started >= 0.3


def test_no_proxy_sees_what_stays_on_this_machine(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = service()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, trap.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    ran = compare(service().url, service().url)

    assert (ran.status, trap.asked) == (0, [])


@posix_only
def test_no_password_of_a_netrc_is_sent(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 0.0.0.0 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("no_proxy", "*")
    a = service()
    # This machine by an address that is not known as such: there the environment counts.
    ran = compare(a.url.replace("127.0.0.1", "0.0.0.0"), service().url)

    assert ran.status == 0, ran.err
    assert len(a.asked) == 4
    assert not [each for each in a.asked if "Authorization" in each.headers]


# --- What is found


def differing(body: bytes) -> Reply:
    """Another tag for b.JPG, surely; for sub/c.gif, hardly; for a.png a bit more."""
    return {
        b"a.png": tags(cat=0.875, dog=0.125),
        b"b.JPG": tags(dog=0.875, cat=0.125),
        b"sub/c.gif": tags(dog=0.53125, cat=0.46875),
    }.get(body) or cat(body)


def test_the_report_says_how_far_they_agree(
    compare: Compare, service: Serve, tmp_path: Path
) -> None:
    a, b = service(), service(differing)
    ran = compare(a.url, b.url)
    report = (tmp_path / "out" / "comparison.md").read_text("utf-8")

    assert (ran.status, ran.err) == (0, "")
    assert figure(ran, "images compared") == ["4 of 4"]
    assert figure(ran, "same top tag") == ["2 (50.0 %)"]
    assert figure(ran, "another top tag, both sure") == ["1"]
    # 0.125, 0.625, 0.28125 and 0, each for two tags.
    assert figure(ran, "difference of a probability, mean") == ["0.26"]
    assert figure(ran, "… largest") == ["0.62"]
    assert figure(ran, "images with other tags at 0.8 or more") == ["2"]
    assert figure(ran, "images answered") == ["4", "4"]
    sure = ["b.JPG", "cat 0.750", "dog 0.875", "another", "cat", "0.62"]
    unsure = ["sub/c.gif", "cat 0.750", "dog 0.531", "another, one unsure", "cat", "0.28"]
    assert [cells for cells in rows(ran.out) if cells[0] in ("b.JPG", "sub/c.gif")] == [
        sure,
        unsure,
        sure,
        unsure,
    ]
    assert ran.out.endswith(
        "The two agree on 2 of 4 images (50.0 %, at least 15.0 % with 95 % confidence); "
        "probabilities differ by 0.26 on average and by at most 0.62.\n"
    )
    assert all(cells in rows(report) for cells in rows(ran.out))
    assert f"* A: `{a.url}`" in report


def test_every_image_is_in_a_spreadsheet(compare: Compare, service: Serve, tmp_path: Path) -> None:
    def refusing(body: bytes) -> Reply:
        return Reply(status=413) if body == b"a.png" else differing(body)

    compare(service().url, service(refusing).url)
    raw = (tmp_path / "out" / "comparison.csv").read_bytes()
    read = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))

    assert raw.startswith(b"\xef\xbb\xbf")
    assert [each["file"] for each in read] == ["a.png", "b.JPG", "sub/c.gif", "sub/d.bmp"]
    assert [each["same_tag"] for each in read] == ["", "False", "False", "True"]
    assert read[0]["b_error"].startswith("answered 413: ")
    assert (read[1]["b_tag"], read[1]["b_probability"]) == ("dog", "0.875")
    assert float(read[1]["a_ms"]) > 0
    assert float(read[2]["difference"]) == 0.28125


def test_every_tag_is_in_the_answers(compare: Compare, service: Serve, tmp_path: Path) -> None:
    compare(service().url, service(differing).url)
    found = kept(tmp_path)["b.JPG"]

    assert found["a"]["tags"] == {"cat": 0.75, "dog": 0.25}
    assert found["b"]["tags"] == {"dog": 0.875, "cat": 0.125}
    assert found["bytes"] == 5


def test_the_first_answer_of_a_connection_is_told_apart(
    compare: Compare, service: Serve, tmp_path: Path
) -> None:
    ran = compare(service().url, service().url, "--concurrency", "1")
    answers = kept(tmp_path)

    for side in ("a", "b"):
        assert [each[side]["opened_connection"] for each in answers.values()].count(True) == 1
        assert answers["a.png"][side]["opened_connection"]
    assert "–" not in figure(ran, "… slowest first one, with connecting")


def test_the_plot_is_a_image_of_both(compare: Compare, service: Serve, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    compare(service().url, service(differing).url, plot=True)
    svg = (tmp_path / "out" / "comparison.svg").read_text("utf-8")
    words = "".join(ElementTree.fromstring(svg).itertext())

    assert "same top tag (2)" in words
    assert "another top tag (2)" in words
    assert re.search(r"A: median [\d.,]+ ms", words)
    assert "milliseconds" in words
    assert "](comparison.svg)" in (tmp_path / "out" / "comparison.md").read_text("utf-8")


def test_without_matplotlib_all_but_the_plot_is_there(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = compare(service().url, service().url, plot=True)

    assert ran.status == 0
    assert "note: There is no plot: matplotlib is not installed." in ran.err
    assert "svg" not in ran.out + (tmp_path / "out" / "comparison.md").read_text("utf-8")
    assert (tmp_path / "out" / "comparison.csv").is_file()


def test_different_tags_are_warned_of(compare: Compare, service: Serve) -> None:
    ran = compare(service().url, service(lambda body: tags(cat=0.75, Hund=0.25)).url)

    assert "**The tags are not the same.** Only A ever named: dog." in ran.out
    assert "Only B ever named: Hund." in ran.out


def test_with_labels_it_says_who_is_right(compare: Compare, service: Serve, folder: Path) -> None:
    (folder / "sub").rename(folder / "dog")
    (folder / "eel").mkdir()
    (folder / "eel" / "e.png").write_bytes(b"e")
    right_once = service(lambda body: tags(dog=1.0, cat=0) if b"c.gif" in body else cat(body))
    ran = compare(service().url, right_once.url, "--labelled")

    assert figure(ran, "right, of 2") == [
        "0 (0.0 %; 0.0 % to 65.8 %)",
        "1 (50.0 %; 9.5 % to 90.5 %)",
    ]
    assert figure(ran, "right where the other is wrong") == ["0", "1"]
    assert ["dog", "cat", "2", "1"] in rows(ran.out)
    assert "Folders named like no tag, whose images are not counted: eel." in ran.out


@pytest.mark.parametrize(("least", "status"), [("0.5", 0), ("0.51", 1)])
def test_too_little_agreement_is_a_failure_if_asked_for(
    least: str, status: int, compare: Compare, service: Serve
) -> None:
    ran = compare(service().url, service(differing).url, "--least-agreement", least)

    assert ran.status == status
    assert ("--least-agreement is 0.51" in ran.err) is bool(status)


def test_what_b_fails_at_is_no_agreement(compare: Compare, service: Serve) -> None:
    fails_once = service(lambda body: Reply(status=400) if body == b"a.png" else cat(body))

    assert compare(service().url, fails_once.url, "--least-agreement", "0.76").status == 1
    again = compare(fails_once.url, service().url, "--least-agreement", "1", "--overwrite")
    assert again.status == 0


# --- What goes wrong with one image


def once(first: Reply | None, then: Answering = cat) -> Answering:
    """The first reply to a.png is another than the next ones."""
    seen: list[bytes] = []

    def answer(body: bytes) -> Reply | None:
        if body == b"a.png":
            seen.append(body)
            return first if len(seen) == 1 else then(body)
        return then(body)

    return answer


@pytest.mark.parametrize(
    "first",
    [
        Reply({"error": {"code": "429", "message": "Slow down."}}, 429, {"Retry-After": "0"}),
        Reply({"statusCode": 429, "message": "Slow down."}, 429),
        Reply(b"busy", 503),
        Reply(b"<h1>Bad Gateway</h1>", 502),
        Reply(b"", 500),
        None,
    ],
    ids=["429", "429 without a time", "503", "502", "500", "hung up"],
)
def test_what_passes_is_tried_again_and_counted(
    first: Reply | None, compare: Compare, service: Serve, tmp_path: Path
) -> None:
    ran = compare(service().url, service(once(first)).url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")
    assert figure(ran, "images answered") == ["4", "4"]
    assert figure(ran, "requests tried again") == ["0", "1"]
    assert kept(tmp_path)["a.png"]["b"]["retries"] == 1


def test_everybody_waits_as_long_as_a_busy_service_wants(compare: Compare, service: Serve) -> None:
    asked_before: list[bytes] = []

    def busy_at_first(body: bytes) -> Reply:
        """Whichever image comes first: threads that wait for a turn get it in any order."""
        asked_before.append(body)
        busy = Reply({"code": "x", "message": "Slow down."}, 429, {"Retry-After": "2"})
        return busy if len(asked_before) == 1 else cat(body)

    a, b = service(busy_at_first), service()
    ran = compare(a.url, b.url, "--rate", "2", "--concurrency", "2")
    first = a.asked[0]

    assert ran.status == 0, ran.err
    for each in (a, b):
        others = sorted(asked.at - first.at for asked in each.asked if asked.body != first.body)
        assert len(others) == 3
        # Without a pause their turns come after 0.5, 1 and 1.5 seconds. On a slow machine the
        # first of them may have its turn before the reply is read.
        assert min(others[1:]) > 2
    assert [asked.body for asked in a.asked].count(first.body) == 2
    assert all(asked.at - first.at > 2 for asked in a.asked[1:] if asked.body == first.body)
    # The wait is in no time that is shown.
    assert float(figure(ran, "… slowest")[0]) < 1000


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"code": "BadRequestImageFormat", "message": "Bad Request Image Format"}, 400),
            "answered 400 BadRequestImageFormat: Bad Request Image Format",
        ),
        (Reply(b"too large", 413), "answered 413: too large"),
        (Reply(b"", 415), "answered 415: Unsupported Media Type"),
        (Reply({"error": "no"}, 500), "answered 500: no"),
        (Reply(b"Error processing image"), "answered 200 with no predictions in the answer"),
        (Reply(b'{"predictions": [{"tagName": "a"}'), "answered 200 with no predictions"),
        (Reply({"predictions": [{"tagName": "a"}]}), "answered 200 with a prediction without"),
    ],
)
def test_a_image_that_fails_is_listed_and_the_others_are_compared(
    reply: Reply, words: str, compare: Compare, service: Serve, tmp_path: Path
) -> None:
    fails_once = service(lambda body: reply if body == b"b.JPG" else cat(body))
    ran = compare(service().url, fails_once.url)

    assert ran.status == 0, ran.err
    assert figure(ran, "images compared") == ["3 of 4"]
    assert figure(ran, "images refused or failed") == ["0", "1"]
    (row,) = [cells for cells in rows(ran.out) if cells[0] == "b.JPG"]
    assert row[1] == "a prediction"
    assert row[2].startswith(words)
    assert words in (tmp_path / "out" / "comparison.md").read_text("utf-8")
    assert ran.out.endswith(" 1 image was not answered by both.\n")


def test_a_file_that_cannot_be_read_is_listed(
    compare: Compare, service: Serve, folder: Path
) -> None:
    def deleting(body: bytes) -> Reply:
        (folder / "sub" / "d.bmp").unlink(missing_ok=True)
        return cat(body)

    ran = compare(service().url, service(deleting).url, "--concurrency", "1")

    assert ran.status == 0, ran.err
    assert "the file cannot be read (No such file or directory)" in ran.out


def test_a_image_larger_than_the_cloud_takes_is_noted(
    compare: Compare, service: Serve, folder: Path
) -> None:
    (folder / "a.png").write_bytes(bytes(4 * 1024 * 1024 + 1))

    ran = compare(service().url, service().url)
    assert "Images of more than 4 MB, which Custom Vision's cloud refuses: 1." in ran.out


def test_a_reply_that_does_not_come_is_given_up(compare: Compare, service: Serve) -> None:
    over = threading.Event()

    def slow_once(body: bytes) -> Reply:
        if body == b"b.JPG":
            over.wait(20)
        return cat(body)

    try:
        b = service(slow_once)
        ran = compare(service().url, b.url, "--timeout", "0.5", "--concurrency", "1")
    finally:
        over.set()

    assert ran.status == 0, ran.err
    assert "did not answer within 0.5 s" in ran.out
    assert figure(ran, "images compared") == ["3 of 4"]


# --- What goes wrong with all of them


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"error": {"code": "401", "message": "Access denied."}}, 401),
            "error: B answered 401 401: Access denied. Put its key into the environment as "
            "PREDICTION_KEY_B.",
        ),
        (Reply({"code": "Forbidden", "message": "No."}, 403), "B answered 403 Forbidden: No."),
        (
            Reply({"code": "NotFoundIteration", "message": "Invalid iteration"}, 404),
            "B answered 404 NotFoundIteration: Invalid iteration Check the project and the "
            "published name in http://127.0.0.1:",
        ),
        (
            Reply({"code": "BadRequestIterationNotPublished", "message": "Not yet"}, 400),
            "B answered 400 BadRequestIterationNotPublished: Not yet",
        ),
        (
            Reply({"message": "Quota"}, 429, {"Retry-After": "7200"}),
            "B answered 429: Quota It wants to be left alone for 120 minutes",
        ),
    ],
)
def test_what_is_wrong_for_all_ends_it_with_the_services_words(
    reply: Reply, words: str, compare: Compare, service: Serve
) -> None:
    b = service(lambda body: reply)
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert ran.status == 1
    assert words in ran.err
    assert len(b.asked) == 1
    assert "To go on" not in ran.err
    # Nothing is there to be lost: the next try needs no option.
    b.answer = cat
    assert compare(service().url, b.url).status == 0


def test_a_key_that_is_wrong_is_named_by_its_variable_only(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    words = f"Key {KEY_A} of /image?code=the-query-secret is \x1b[31mwrong"
    a = service(lambda body: Reply({"code": "401", "message": words}, 401))
    ran = compare(f"{a.url}?code=the-query-secret", service().url)

    assert "error: A answered 401 401: Key … of /image?… is \ufffd[31mwrong" in ran.err
    assert "Check PREDICTION_KEY_A in the environment." in ran.err
    assert KEY_A not in ran.out + ran.err


def test_no_secret_is_in_what_is_printed_or_written(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    echo = Reply(f"{KEY_A} {KEY_B} the-query-secret".encode(), 400)
    a = service(lambda body: echo if body == b"a.png" else cat(body))
    b = service(lambda body: None if body == b"b.JPG" else cat(body))
    ran = compare(f"{a.url}?code=the-query-secret", b.url, plot=True)
    files = [path.read_text("utf-8") for path in (tmp_path / "out").iterdir()]

    assert ran.status == 0, ran.err
    assert len(files) >= 3
    for text in (ran.out, ran.err, *files):
        assert KEY_A not in text
        assert "the-query-secret" not in text


def test_a_redirect_is_not_followed(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    trap = service()
    away = {"Location": f"{trap.url}?code=hidden"}
    b = service(lambda body: Reply(b"", 307, away))
    ran = compare(service().url, b.url)

    assert ran.status == 1
    assert f"That is a redirect to {trap.url}. Redirects are not followed" in ran.err
    assert trap.asked == []


def test_nobody_there_is_said(compare: Compare, service: Serve) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/image"
    ran = compare(service().url, nowhere)

    assert ran.status == 1
    assert f"error: B did not answer: Connection refused ({nowhere})\n" in ran.err


def test_a_service_that_breaks_down_ends_it_and_what_there_is_is_shown(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(20):
        (folder / f"z{number:02}.png").write_bytes(b"z")
    b = service(lambda body: Reply(b"oops", 500) if body == b"z" else cat(body))
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert ran.status == 1
    assert "B gave no answer to 5 images in a row. To the last one it answered 500: oops" in ran.err
    assert "To go on: the same command with --resume" in ran.err
    assert figure(ran, "images compared") == ["4 of 8"]
    assert "It ended early: 8 of 24 images are in." in ran.out


def test_failures_with_answers_between_them_do_not_end_it(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(16):
        (folder / f"z{number:02}.png").write_bytes(f"z{number:02}".encode())
    b = service(lambda body: Reply(status=501) if body[-1] % 2 else cat(body))
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")
    assert int(figure(ran, "images refused or failed")[1]) >= 8


def test_where_nothing_was_answered_there_is_nothing_to_compare(
    compare: Compare, service: Serve
) -> None:
    ran = compare(service(lambda body: Reply(status=400)).url, service().url)

    assert ran.status == 1
    assert "No image was answered by both" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "0"], "'0' is not a number above 0"),
        (["--concurrency", "65"], "'65' is not a number from 1 to 64"),
        (["--limit", "0"], "'0' is not a whole number of 1 or more"),
        (["--least-agreement", "99"], "'99' is not a share"),
        (["--resume", "--overwrite"], "not allowed with"),
        (["--endpoint", "http://h/image"], "--endpoint is there 3 times"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: Sequence[str], words: str, compare: Compare
) -> None:
    ran = compare("http://127.0.0.1:9/image", "http://127.0.0.1:9/image", *arguments)

    assert ran.status in (1, 2)
    assert words in ran.err


def test_a_folder_without_images_is_said(tmp_path: Path, capsys: Any) -> None:
    both = ["--endpoint", "http://127.0.0.1:9/image"] * 2

    assert main([*both, str(tmp_path)]) == 1
    assert "There are no images in" in capsys.readouterr().err
    assert main([*both, str(tmp_path / "nowhere")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def test_a_key_that_can_be_none_is_not_shown(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", "kéy")
    ran = compare(service().url, service().url)

    assert ran.err == "error: PREDICTION_KEY_A has characters that no key has. Copy it again.\n"


def test_a_key_in_the_clear_and_images_that_are_kept_are_noted(
    compare: Compare, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    # An address of this machine that is not known as such: nothing listens at its port.
    ran = compare(f"http://0.0.0.0:{free_port()}/image", "http://127.0.0.1:9/image")

    assert "it stores each image that is sent to …/image" in ran.err
    assert "the key of A and all images go there unencrypted" in ran.err


# --- Going on


def test_what_was_answered_is_not_asked_again(
    compare: Compare, service: Serve, folder: Path, tmp_path: Path
) -> None:
    fails = True

    def failing(body: bytes) -> Reply:
        if body == b"a.png":
            return Reply({"code": "BadRequestImageFormat", "message": "No."}, 400)
        return Reply(b"", 500) if fails and body == b"sub/d.bmp" else cat(body)

    a, b = service(), service(failing)
    compare(a.url, b.url)
    refused = compare(a.url, b.url)
    fails = False
    for each in (a, b):
        each.asked.clear()
    (folder / "b.JPG").write_bytes(b"another picture")
    (folder / "new.png").write_bytes(b"new")
    with (tmp_path / "out" / "answers.jsonl").open("a") as file:
        file.write('{"file": "sub/c.gif", "sha')  # as a crash leaves it
    ran = compare(a.url, b.url, "--resume")

    assert refused.status == 1
    assert "Go on with that one (--resume), replace it (--overwrite)" in refused.err
    assert ran.status == 0, ran.err
    # What failed, what is another image now, and what is new; not what was refused.
    for each in (a, b):
        assert {asked.body for asked in each.asked} == {b"another picture", b"new", b"sub/d.bmp"}
    assert figure(ran, "images compared") == ["4 of 5"]
    assert set(kept(tmp_path)) == {"a.png", "b.JPG", "new.png", "sub/c.gif", "sub/d.bmp"}


def test_answers_of_other_endpoints_are_not_taken(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    nothing = compare(a.url, b.url, "--resume")
    compare(a.url, b.url)
    other = compare(b.url, a.url, "--resume")

    assert "to resume. Leave out --resume." in nothing.err
    assert other.status == 1
    assert f"has answers of other endpoints: {a.url} and {b.url}." in other.err
    assert compare(b.url, a.url, "--overwrite").status == 0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tools.compare", *arguments]


@posix_only
def test_ctrl_c_shows_what_there_is_and_the_rest_can_follow(
    service: Serve, folder: Path, tmp_path: Path
) -> None:
    for number in range(96):
        (folder / f"z{number}.png").write_bytes(f"z{number}".encode())
    a, b = service(), service()
    arguments = ["--endpoint", a.url, "--endpoint", b.url, str(folder)]
    arguments += ["--out", str(tmp_path / "out"), "--rate"]
    process = subprocess.Popen(
        command(*arguments, "20"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: len(a.asked) >= 10, "ten images", 30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    found = re.search(r"The two agree on (\d+) of (\d+) images", out)

    assert process.returncode == 130
    assert found and found[1] == found[2]
    assert 9 <= int(found[1]) < 100
    assert err.endswith("To go on: the same command with --resume\n")
    assert f"It ended early: {int(found[1])} of 100 images are in." in out
    again = command(*arguments, "1000", "--resume")
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "The two agree on 100 of 100 images" in done.stdout
    # Nothing was asked twice, but what was on its way to one of them.
    assert 100 <= len(a.asked) <= 104


def test_progress_is_shown_on_a_terminal_only(service: Serve, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    pytest.importorskip("termios")
    arguments = ["--endpoint", service().url, "--endpoint", service().url, str(folder)]
    shown, written = run_on_a_terminal(command(*arguments, "--out", str(tmp_path / "out")))

    assert b"4/4 [" in shown
    assert b"4/4 [" not in written


# --- The app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, colours_onnx: bytes) -> Iterator[LocalHost]:
    """The app with a key and two models, of which one mixes up two colours."""
    models = tmp_path_factory.mktemp("models")
    model_folder(models, "colours", 1, onnx=colours_onnx)
    model_folder(models, "mixed", 1, onnx=colours_onnx, labels="Green\nBlue\nRed")
    env = {
        "MODELS_DIR": str(models),
        "API_KEYS": f"{KEY_A},{KEY_B}",
        "CUSTOM_VISION_MODELS": "Iteration1=colours,Iteration2=mixed",
    }
    with LocalHost(env=env) as running:
        yield running


@pytest.fixture
def colours(folder: Path) -> None:
    """Real images in place of the folder's, and one that is none."""
    for path in folder.rglob("*.*"):
        path.unlink()
    for colour in ("red", "green", "blue"):
        (folder / colour.title()).mkdir()
        for width in (30, 40, 50):
            file = folder / colour.title() / f"{width}.png"
            file.write_bytes(colour_image(colour, (width, 40)))
    (folder / "Red" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")


@pytest.mark.usefixtures("colours")
def test_the_app_agrees_with_itself(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    ran = compare(f"{app.url}{NAMED}/Iteration1/image", app.url, "--labelled")

    assert ran.status == 0, ran.err
    assert "The two agree on 9 of 9 images (100.0 %, at least 70.1 % with" in ran.out
    assert "probabilities differ by 0 on average and by at most 0." in ran.out
    assert figure(ran, "right, of 9")[0].startswith("9 (100.0 %")
    (broken,) = [cells for cells in rows(ran.out) if cells[0] == "Red/broken.jpg"]
    assert broken[1].startswith("answered 400 BadRequestImageFormat: ")
    assert broken[1] == broken[2]


@pytest.mark.usefixtures("colours")
def test_two_published_names_of_the_app_are_told_apart(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    one, two = (f"{app.url}{NAMED}/{name}/image" for name in ("Iteration1", "Iteration2"))
    ran = compare(one, two, "--labelled", "--least-agreement", "0.9")

    assert ran.status == 1
    assert "The two agree on 3 of 9 images (33.3 %" in ran.out
    assert figure(ran, "right where the other is wrong") == ["6", "0"]
    assert ["Blue", "Green", "0", "3"] in rows(ran.out)


@pytest.mark.usefixtures("colours")
def test_the_apps_own_words_say_what_is_wrong(
    compare: Compare, app: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"{app.url}{NAMED}/Iteration1/image"
    no_key = compare(here, here)
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    no_name = compare(here, here.replace("Iteration1", "Iteration9"))

    assert "answered 401 Forbidden: Access denied due to invalid subscription key" in no_key.err
    assert "B answered 404 NotFoundIteration: Invalid iteration: 'Iteration9'" in no_name.err
