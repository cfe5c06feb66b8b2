"""Real files, a real emulator, and a real server of images; Ctrl+C is a real signal."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from image_classifier.bindings.queue_message import read_message
from tests.support.azurite import Queue, wait_until
from tests.support.builders import colour_image, queue_message
from tests.support.servers import ROOT, LocalHost, free_port
from tests.support.terminals import run_on_a_terminal
from tools.azurite import Azurite
from tools.enqueue.__main__ import main
from tools.enqueue.sending import Sender
from tools.shared.queue_client import decode

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def queue(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue of its own, not made yet, in the account that the settings name."""
    monkeypatch.setenv("AzureWebJobsStorage", azurite.connection_string)
    return Queue(azurite, create=False)


@pytest.fixture
def run(queue: Queue, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, in this process, for that queue."""

    def command(*arguments: str) -> Ran:
        try:
            status = main([*arguments, "--queue", queue.name])
        except SystemExit as exc:
            status = int(exc.code or 0)
        return Ran(status, *capsys.readouterr())

    return command


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that a server has at /images/, and the server's address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    root = tmp_path / "site"
    (root / "images").mkdir(parents=True)
    handler = partial(Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield root / "images", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def lines(folder: Path, *texts: str) -> str:
    path = folder / "urls.txt"
    path.write_bytes("\r\n".join(texts).encode())
    return str(path)


def objects(queue: Queue) -> list[dict[str, Any]]:
    """The messages, which come in any order, by the number in their id."""
    found = [json.loads(text) for text in queue.texts()]
    return sorted(found, key=lambda each: int(re.sub(r".*-", "", each["id"]) or 0))


# --- Lines


def test_a_file_of_urls_and_objects_becomes_messages(
    run: Run, queue: Queue, tmp_path: Path
) -> None:
    path = lines(
        tmp_path,
        "\ufeff# my images",
        "https://example.com/a.png?sig=x%2Fy",
        "",
        "   https://example.com/ä b.png  ",
        '{"url": "https://example.com/c.png", "model": "dogs", "version": 2, "note": "mine"}',
        '{"id": "own-4", "url": "HTTP://example.com/d.png"}',
    )
    ran = run(path, "--run", "r", "--model", "cats")

    assert ran.status == 0, ran.err
    assert objects(queue) == [
        {"id": "r-1", "url": "https://example.com/a.png?sig=x%2Fy", "model": "cats"},
        {"id": "r-2", "url": "https://example.com/ä b.png", "model": "cats"},
        {"id": "r-3", "url": "https://example.com/c.png", "model": "dogs", "version": 2},
        {"id": "own-4", "url": "HTTP://example.com/d.png", "model": "cats"},
    ]
    for text in queue.texts():
        assert read_message(queue_message(text)).problem is None
    assert f"Made the queue {queue.name}." in ran.out
    assert f"Queued 4 images on {queue.name} in " in ran.out
    assert ran.err == ""


def test_count_and_skip_choose_a_part_and_keep_the_numbers(
    run: Run, queue: Queue, tmp_path: Path
) -> None:
    path = lines(tmp_path, *[f"http://h/{number}" for number in range(1, 9)])
    run(path, "--run", "r", "--skip", "2", "--count", "3")

    assert [(each["id"], each["url"]) for each in objects(queue)] == [
        ("r-3", "http://h/3"),
        ("r-4", "http://h/4"),
        ("r-5", "http://h/5"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "'hello' is not a URL"),
        (b"ftp://h/a.png", "is not a URL that starts with https://"),
        (b"https://h/" + b"a" * 8192, "The message is not a URL"),
        (b'{"url": "http://h/", "version": "1"}', '"version" must be a whole number'),
        (b'{"img": "http://h/"}', 'has no "url"'),
        (b'{"url": "file:///etc/passwd"}', "is not a URL that starts with"),
        (b"{", "is not valid JSON"),
        (b"http://h/\xff", "is not UTF-8 text"),
    ],
)
def test_a_wrong_line_is_named_before_anything_is_sent(
    line: bytes, words: str, run: Run, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_bytes(b"http://h/1\n# comment\n\n" + line + b"\nhttp://h/2\n")
    ran = run(str(tmp_path / "urls.txt"))

    assert ran.status == 1
    assert ran.err.startswith("error: urls.txt, line 4: ")
    assert words in ran.err
    assert ran.out == ""
    assert not queue.exists


def test_standard_input_is_sent_as_it_comes_and_says_where_it_stopped(
    run: Run, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = io.BytesIO(b"http://h/1\nhttp://h/2\n\nhello\nhttp://h/3\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    ran = run("-", "--run", "r", "--senders", "2")

    assert ran.status == 1
    assert "Queued 2 images" in ran.out
    assert "error: standard input, line 4: 'hello'" in ran.err
    assert ran.err.endswith(
        f"To go on: python -m tools.enqueue - --queue {queue.name} --senders 2 --run r --skip 2\n"
    )
    assert [each["id"] for each in objects(queue)] == ["r-1", "r-2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name a file of URLs"),
        (["/nowhere/urls.txt"], "cannot be read: No such file"),
        (["--connection", "AccountKey=x"], "error: Name"),
        (["--generate", "--base-url", "http://127.0.0.1:9"], "Nothing answers at"),
        (["--rate", "0"], "'0' is not a number above 0"),
        (["--count", "-1"], "--count"),
        (["--keep-below", "0"], "it must be 1 or more"),
        (["--senders", "0"], "'0' is not a number from 1 to 256"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], words: str, run: Run) -> None:
    ran = run(*arguments)

    assert ran.status in (1, 2)
    assert words in ran.err


def test_a_file_without_urls_is_said(run: Run, tmp_path: Path) -> None:
    assert "has no lines but" in run(lines(tmp_path, "# nothing", "")).err


# --- Images


def test_a_folder_becomes_urls_at_which_the_host_has_its_images(
    run: Run, queue: Queue, tmp_path: Path
) -> None:
    folder = tmp_path / "my images"
    names = ["a.png", "b c.JPG", "sub/ü#?.png", "sub/100%.gif", "sub/+&%20.webp"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(colour_image(size=(number + 1, 1)))
    (folder / "notes.txt").write_text("no image")
    with LocalHost(arguments=["--images", str(folder)]) as host:
        ran = run(str(folder), "--base-url", f"{host.url}/")
        urls = [each["url"] for each in objects(queue)]
        served = [requests.get(each, timeout=5).content for each in urls]

    assert ran.status == 0, ran.err
    assert all(each.startswith(f"{host.url}/images/") for each in urls)
    assert sorted(served) == sorted((folder / name).read_bytes() for name in names)


def test_a_folder_that_is_not_served_is_not_queued(
    run: Run, queue: Queue, site: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = site
    mine = tmp_path / "my images"
    mine.mkdir()
    (mine / "a.png").write_bytes(colour_image("red"))

    missing = run(str(mine), "--base-url", url)
    (folder / "a.png").write_bytes(colour_image("blue"))
    other = run(str(mine), "--base-url", url)
    nobody = run(str(mine), "--base-url", f"http://127.0.0.1:{free_port()}")
    (tmp_path / "empty").mkdir()
    empty = run(str(tmp_path / "empty"), "--base-url", url)

    assert "/images/a.png answers 404" in missing.err
    assert "is not the image" in other.err
    assert "Nothing answers at" in nobody.err
    for ran in (missing, other, nobody):
        assert f"python -m local_host --images '{mine}'" in ran.err
    assert "There are no images in" in empty.err
    assert not queue.exists


def test_the_hosts_samples_go_round_and_round(run: Run, queue: Queue, host: LocalHost) -> None:
    ran = run("--generate", "--count", "20", "--run", "r", "--base-url", host.url)
    urls = [each["url"] for each in objects(queue)]

    assert ran.status == 0, ran.err
    assert len(urls) == 20
    assert len(set(urls)) == 8
    assert urls[:8] == urls[8:16]
    for url in set(urls):
        assert requests.get(url, timeout=5).headers["Content-Type"].startswith("image/")


def test_a_file_goes_round_and_round_too(run: Run, queue: Queue, tmp_path: Path) -> None:
    run(lines(tmp_path, "http://h/1", "http://h/2"), "--generate", "--count", "5", "--run", "r")

    assert [(each["id"], each["url"][-1]) for each in objects(queue)] == [
        ("r-1", "1"),
        ("r-2", "2"),
        ("r-3", "1"),
        ("r-4", "2"),
        ("r-5", "1"),
    ]


# --- Sending


def test_a_rate_is_kept(run: Run, queue: Queue, tmp_path: Path) -> None:
    path = lines(tmp_path, "http://h/1")
    started = time.monotonic()
    run(path, "--generate", "--count", "31", "--rate", "60")

    assert time.monotonic() - started >= 30 / 60
    assert queue.depth() == 31


def test_a_queue_is_kept_below_a_depth(run: Run, queue: Queue, tmp_path: Path) -> None:
    depths: list[int] = []

    def take() -> None:
        while not done.wait(0.05):
            depths.append(queue.depth())
            taken.extend(queue.take())

    done, taken = threading.Event(), list[str]()
    taker = threading.Thread(target=take)
    taker.start()
    try:
        path = lines(tmp_path, "http://h/1")
        ran = run(path, "--generate", "--count", "60", "--keep-below", "20")
    finally:
        done.set()
        taker.join()

    assert ran.status == 0, ran.err
    assert max(depths) <= 20
    assert len(taken) + queue.depth() == 60


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tools.enqueue", *arguments]


def environment(azurite: Azurite) -> dict[str, str]:
    return {**os.environ, "AzureWebJobsStorage": azurite.connection_string, "TERM": "xterm"}


@posix_only
def test_ctrl_c_says_how_many_were_queued_and_the_hint_queues_the_rest(
    azurite: Azurite, queue: Queue, tmp_path: Path
) -> None:
    path = lines(tmp_path, *[f"http://h/{number}" for number in range(1, 201)])
    process = subprocess.Popen(
        command(path, "--queue", queue.name, "--rate", "100"),
        cwd=ROOT,
        env=environment(azurite),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: queue.depth() >= 20, "twenty messages")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    queued = re.search(r"Queued (\d+) images", out)

    assert process.returncode == 130
    assert queued and 20 <= int(queued[1]) == queue.depth() < 200
    hint = shlex.split(err.strip().rpartition("To go on: ")[2])
    assert hint[:3] == ["python", "-m", "tools.enqueue"]
    hint[hint.index("--rate") + 1] = "10000"
    subprocess.run(command(*hint[3:]), cwd=ROOT, env=environment(azurite), timeout=60, check=True)
    messages = [json.loads(text) for text in queue.take()]
    assert len(messages) == 200
    assert len({message["id"].rpartition("-")[0] for message in messages}) == 1
    numbers = sorted(int(message["id"].rpartition("-")[2]) for message in messages)
    assert numbers == list(range(1, 201))
    assert all(message["id"].endswith("-" + message["url"][9:]) for message in messages)


def test_progress_is_shown_on_a_terminal_only(
    azurite: Azurite, queue: Queue, tmp_path: Path
) -> None:
    pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    pytest.importorskip("termios")
    path = lines(tmp_path, *[f"http://h/{number}" for number in range(50)])
    shown, written = run_on_a_terminal(command(path, "--queue", queue.name), environment(azurite))

    assert b"50/50 [" in shown
    assert b"image/s" in shown
    assert b"50/50 [" not in written


class Storage:
    """A storage service that is ill: answers each POST as a function says."""

    def __init__(self, answer: Callable[[str], tuple[int, str]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                text = decode(body.partition("<MessageText>")[2].partition("<")[0]) or ""
                status, code = answer(text)
                self.send_response(status)
                self.send_header("x-ms-error-code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def send(self, texts: str, *, threads: int = 1) -> Sender:
        """Sends each letter as a message until all is over."""
        url = f"http://127.0.0.1:{self._server.server_port}/q/messages?sig=secret"
        sender = Sender(url, iter(texts), threads=threads)
        sender.start()
        try:
            wait_until(lambda: sender.wait(0.1), "the senders end")
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        return sender


def test_a_refusal_stops_all_and_keeps_the_signature_to_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender = Storage(lambda text: (403, "AuthenticationFailed")).send("abcdef", threads=2)

    assert str(sender.problem) == "The storage account refused with 403 (AuthenticationFailed)."
    assert (sender.sent, sender.sent_in_a_row) == (0, 0)
    assert "secret" not in caplog.text


def test_a_service_that_is_busy_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def busy_once(text: str) -> tuple[int, str]:
        asked.append(text)
        return (503, "ServerBusy") if asked == ["a", "b"] else (201, "")

    sender = Storage(busy_once).send("abc")

    assert asked == ["a", "b", "b", "c"]
    assert (sender.problem, sender.sent, sender.sent_in_a_row) == (None, 3, 3)
    assert "secret" not in caplog.text


def test_what_is_sent_in_a_row_ends_at_the_first_that_is_not() -> None:
    everybody_is_there = threading.Barrier(4)

    def all_but_one(text: str) -> tuple[int, str]:
        everybody_is_there.wait(20)
        return (400, "OutOfRange") if text == "b" else (201, "")

    sender = Storage(all_but_one).send("abcd", threads=4)

    assert (sender.sent, sender.sent_in_a_row) == (3, 1)
    assert "400 (OutOfRange)" in str(sender.problem)


def test_a_service_that_goes_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(
        f"http://127.0.0.1:{free_port()}/q/messages?sig=secret", iter("ab"), threads=1, retries=0
    )
    sender.start()
    wait_until(lambda: sender.wait(0.1), "the senders end")

    assert str(sender.problem) == "The storage account stopped answering."
    assert "secret" not in caplog.text
