"""`dev.py` as people type it: real processes, real ports, the printed line typed as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pytest

import dev
from tests.support.app_tree import ROOT
from tests.support.servers import free_port
from tools.bootstrap.environments import EnvironmentSetupError, find_python, has_node
from tools.bootstrap.host_process import is_free
from tools.bootstrap.testing import CONFORMANCE_VERSION

START_SECONDS = 90


def run_dev(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=START_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


class Started(NamedTuple):
    """A running `dev.py start`, and what it had printed when it was ready."""

    process: subprocess.Popen[str]
    port: int
    printed: str

    @property
    def curl_line(self) -> str:
        found = re.search(r"curl .*", self.printed)
        assert found is not None, self.printed
        return found[0]


def read_until(stream: IO[str], word: str) -> str:
    text = ""
    for line in stream:
        text += line
        if word in line:
            return text
    raise AssertionError(f"it ended without {word!r}:\n{text}")


def start(*arguments: str, until: str = "  curl ", **environment: str) -> Started:
    if not dev.is_set_up():
        pytest.skip("the environment is not the one that dev.py made: run `python3 dev.py setup`")
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "dev.py"), *(arguments or ["start"])),
            *("--no-browser", "--port", str(port)),
        ],
        env={**os.environ, "MODELS_DIR": "models", "DEFAULT_MODEL": "digits", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    try:
        return Started(process, port, read_until(process.stdout, until))
    except BaseException:
        end(process)
        raise


def end(process: subprocess.Popen[str]) -> int:
    """Ctrl+C. Reads on meanwhile, so that no full pipe holds the process up."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    running = start(FETCH_ALLOW_PRIVATE_ADDRESSES="true", API_KEYS="")
    yield running
    end(running.process)


def answer_to(command: str) -> dict[str, str]:
    """What a command prints when a shell is given it as it stands."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on the PATH")
    # -sS only hides the progress meter, which curl shows when its output is not a terminal.
    done = subprocess.run(
        command.replace("curl ", "curl -sS ", 1), shell=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def label_of_the_sample() -> str:
    samples = json.loads((ROOT / "frontend" / "samples" / "samples.json").read_text("utf-8"))
    label: str = samples[0]["label"]
    return label


def test_printed_curl_line_works_as_printed(started: Started) -> None:
    answer = answer_to(started.curl_line)

    assert f"localhost:{started.port}/samples/" in started.curl_line
    assert answer["predictedTagName"] == label_of_the_sample()


@pytest.mark.skipif(not has_node(), reason="the storage emulator needs Node.js with npm")
def test_live_drains_sample_images_and_says_where_to_watch_and_how_to_add_more() -> None:
    running = start("live", "--count", "5", until="Queued 5 images", API_KEYS="")
    assert running.process.stdout is not None
    try:
        printed = running.printed
        # The last message may be done before or after the line that says it is queued.
        while printed.count("'Functions.classify_queue' (Succeeded") < 5:
            printed += read_until(running.process.stdout, "classify_queue' (Succeeded")
    finally:
        status = end(running.process)

    assert f"\nThe live page: http://localhost:{running.port}/live.html\n" in printed
    assert " -m tools.enqueue --generate --count 1000\n" in printed
    assert status == 0
    assert is_free(running.port)


def test_start_says_where_the_page_is(started: Started) -> None:
    assert f"\nThe page: http://localhost:{started.port}/\n" in started.printed


def test_curl_line_sends_the_image_where_the_app_may_not_fetch_it(started: Started) -> None:
    line = dev.curl_line(f"http://localhost:{started.port}", {})
    answer = answer_to(line)

    assert "--data-binary" in line
    assert answer["predictedTagName"] == label_of_the_sample()


def test_curl_line_has_a_place_for_the_key() -> None:
    line = dev.curl_line("http://localhost:1", {"API_KEYS": "secret"})

    assert '-H "x-functions-key: KEY"' in line
    assert "secret" not in line


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_start_ends_in_good_order(name: str) -> None:
    if not hasattr(signal, name) or os.name == "nt":
        pytest.skip(f"there is no {name} to send here")
    running = start()
    running.process.send_signal(getattr(signal, name))
    said, _ = running.process.communicate(timeout=30)

    assert running.process.returncode == 0
    assert "Traceback" not in said
    assert is_free(running.port), "something still listens"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def test_busy_port_is_one_sentence_that_names_a_free_one(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    try:
        busy = socket.socket(family)
        busy.bind((host, 0))
    except OSError:
        pytest.skip(f"no {family.name} on this machine")
    with busy:
        busy.listen()
        port = busy.getsockname()[1]
        status, said, complaint = run_dev("start", "--no-browser", "--port", str(port))

    assert status == 1
    assert said == ""
    assert len(complaint.splitlines()) == 1
    assert f"Port {port} is in use" in complaint
    suggested = re.search(r"--port (\d+)`", complaint)
    assert suggested is not None
    assert int(suggested[1]) > port


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_port_that_cannot_be_is_refused(port: str) -> None:
    status, _, complaint = run_dev("start", f"--port={port}")

    assert status == 1
    assert complaint.strip().endswith("a port is a number from 1 to 65535.")


def test_app_that_cannot_start_is_reported(tmp_path: Path) -> None:
    """A setting that cannot be: the host's own words come first, then ours, and no traceback."""
    if not dev.is_set_up():
        pytest.skip("the environment is not the one that dev.py made: run `python3 dev.py setup`")
    status, _, complaint = run_dev("start", f"--port={free_port()}", "--workers=0")

    assert status == 1
    assert "did not start" in complaint.splitlines()[-1]
    assert "Traceback" not in complaint


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14), (4, 0)])
def test_other_pythons_are_refused(version: tuple[int, int]) -> None:
    sentence = dev.refusal(version)

    assert sentence is not None
    assert "Python {}.{}".format(*version) in sentence
    assert "3.11, 3.12 or 3.13" in sentence


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_pythons_are_taken(version: tuple[int, int]) -> None:
    assert dev.refusal(version) is None


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.14"])
def test_another_python_gets_one_sentence(version: str) -> None:
    """The real thing: the file must parse in the old interpreter, and print no traceback."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    done = subprocess.run([python, str(ROOT / "dev.py"), "start"], capture_output=True, text=True)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"This is Python {version}" in done.stderr


def test_test_says_what_it_leaves_out_and_why(tmp_path: Path) -> None:
    """Nothing on the PATH, as on a machine with Python alone."""
    if not dev.is_set_up():
        pytest.skip("the environment is not the one that dev.py made: run `python3 dev.py setup`")
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CONFORMANCE_PYTHON", "PYENV_ROOT")
    }
    bare.update(PATH=str(tmp_path), HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    status, said, _ = run_dev("test", "-q", "--version", environment=bare)

    assert status == 0
    assert said.count("no Chromium") == 2, "once before the run, once after it"
    assert said.count("no Node.js") == 2
    if dev.running_version() != CONFORMANCE_VERSION:
        assert "no Python 3.13" in said or "no ../shared" in said


def test_test_hands_its_arguments_to_pytest_and_its_status_back(tmp_path: Path) -> None:
    if not dev.is_set_up():
        pytest.skip("the environment is not the one that dev.py made: run `python3 dev.py setup`")
    failing = tmp_path / "test_two.py"
    failing.write_text("def test_good(): pass\ndef test_bad(): assert False\n")
    options = ["--noconftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(failing)]

    assert run_dev("test", *options)[0] == 1
    assert run_dev("test", *options, "-k", "good")[0] == 0


def test_unknown_command_or_option_is_explained() -> None:
    assert run_dev("run")[0] == 2
    status, _, complaint = run_dev("start", "--prot", "7071")

    assert status == 2
    assert "--prot" in complaint


def test_settings_file_that_is_no_json_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local.settings.json").write_text("{")
    monkeypatch.setattr(dev, "ROOT", tmp_path)

    with pytest.raises(EnvironmentSetupError, match=r"local\.settings\.json is not valid JSON"):
        dev.start(None, browser=False, workers=None)
