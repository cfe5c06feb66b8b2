"""A server is awaited until it answers, and its last words are shown if it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.bootstrap.environments import EnvironmentSetupError
from tools.bootstrap.server_process import ServerProcess

pytestmark = pytest.mark.process


def server(
    code: str, folder: Path, *, log: bool = False, own_session: bool = False
) -> ServerProcess:
    command = [sys.executable, "-c", code]
    return ServerProcess("It", command, folder=folder, log=log, own_session=own_session)


def test_a_server_is_awaited_and_ended(tmp_path: Path) -> None:
    running = server("open('up', 'w').close(); import time; time.sleep(60)", tmp_path, log=True)
    try:
        running.wait_until((tmp_path / "up").exists, seconds=20, poll_seconds=0.01)
        assert running.process.poll() is None
    finally:
        running.stop(10)

    assert running.process.returncode is not None


def test_a_server_that_ends_is_reported_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    running = server("print('no such port'); raise SystemExit(3)", tmp_path, log=True)
    try:
        with pytest.raises(EnvironmentSetupError, match=r"^It did not start \(exit 3\); its out"):
            running.wait_until(lambda: False, seconds=20, poll_seconds=0.01)
    finally:
        running.stop(10)

    assert capfd.readouterr().out == "no such port\n"


def test_a_server_that_does_not_answer_in_time_is_reported(tmp_path: Path) -> None:
    running = server("import time; time.sleep(60)", tmp_path, own_session=True)
    try:
        with pytest.raises(EnvironmentSetupError, match=r"did not answer within 0\.05 s"):
            running.wait_until(lambda: False, seconds=0.05, poll_seconds=0.01)
    finally:
        running.stop(10)


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot ignore their end there")
def test_a_server_that_does_not_end_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open('up', 'w').close(); time.sleep(60)"
    )
    running = server(code, tmp_path)
    running.wait_until((tmp_path / "up").exists, seconds=20, poll_seconds=0.01)
    running.stop(0.05)

    assert running.process.returncode == -9
