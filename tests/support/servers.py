"""Runs servers as subprocesses for tests: real processes, real sockets, ended by their id."""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import requests

from image_classifier.settings import SETTINGS

__all__ = ["ROOT", "LocalHost", "ServerProcess", "clean_environment", "free_port"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
# Variables of a developer's shell that would change how an app behaves begin with these.
APP_PREFIXES = ("AZURE", "FUNCTIONS_", "PYTHON_", "WEBSITE_")

_Found = TypeVar("_Found")


def _ports_of_this_process() -> list[int]:
    """Ports that only this worker of pytest-xdist gives out, from one on that the process decides.

    They lie below those that the system gives out: no connection takes one meanwhile.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + 1_000 * (worker % 12)
    start = os.getpid() % 1_000
    return [first + (start + number) % 1_000 for number in range(1_000)]


_ports = itertools.cycle(_ports_of_this_process())


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that was not given out for long."""
    for port in itertools.islice(_ports, 1_000):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("none of a thousand ports is free")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment without app settings, plus ``extra``."""
    settings = {setting.name for setting in SETTINGS}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.upper().startswith(APP_PREFIXES)
    }
    return {**kept, "PYTHONIOENCODING": "utf-8", **(extra or {})}


class ServerProcess:
    """A server as a subprocess whose output goes to a file, ended by its id.

    Attributes:
        log_seconds: how long ``wait_for_log`` waits, where its caller does not say.
        stop_seconds: how long ``stop`` waits before it kills.
        process: the process that was started.
    """

    log_seconds = 10.0
    stop_seconds = 10.0
    process: subprocess.Popen[bytes]
    _log: Path

    def launch(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Starts it; ``stop`` ends it."""
        handle, name = tempfile.mkstemp(prefix="server-", suffix=".log")
        self._log = Path(name)
        try:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
            )
        finally:
            os.close(handle)

    def launch_and_wait(
        self, command: Sequence[str], environ: Mapping[str, str], wait: Callable[[], object]
    ) -> None:
        """Starts it, and ends it again if ``wait`` fails."""
        self.launch(command, environ)
        try:
            wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._log.unlink(missing_ok=True)

    def stop(self) -> int:
        """Ends the process as Ctrl+C or a supervisor would and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def log(self) -> str:
        """The server's output so far, stdout and stderr."""
        return self._log.read_text("utf-8", "replace")

    def wait_until(self, find: Callable[[], _Found | None], failure: str, seconds: float) -> _Found:
        """Waits until ``find`` returns something true, and returns it.

        Raises:
            AssertionError: it did not in time, or the server has ended; the message has the
                reason and the server's last words.
        """
        deadline = time.monotonic() + seconds
        while True:
            status = self.process.poll()  # asked first: the last words count
            found = find()
            if found:
                return found
            if status is not None or time.monotonic() > deadline:
                state = f"after {seconds:g} seconds" if status is None else f"(exit {status})"
                raise AssertionError(f"{failure} {state}:\n{self.log()}")
            time.sleep(0.02)

    def wait_for_log(self, pattern: str, seconds: float | None = None) -> re.Match[str]:
        """Waits until the log has a match for the regular expression; lines come a little late.

        Raises:
            AssertionError: it did not come, or the server has ended; the message has the log.
        """
        return self.wait_until(
            lambda: re.search(pattern, self.log()),
            f"{pattern!r} is not in the server's log",
            self.log_seconds if seconds is None else seconds,
        )


class LocalHost(ServerProcess):
    """``python -m local_host`` as a subprocess, for the length of a ``with`` block.

    A developer's own ``local.settings.json`` is not read, so that tests see the same app
    everywhere: ``settings`` is, and by default the app's ``local.settings.json.example``.

    Attributes:
        url: address of the host, without a slash at the end.
        port: its port.
        process: the process that was started; with several workers, their parent.
    """

    def __init__(
        self,
        app_root: Path = ROOT,
        env: Mapping[str, str] | None = None,
        *,
        workers: int = 1,
        settings: Path | None = None,
        environment: str = "Development",
        arguments: Sequence[str] = (),
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._start_seconds = start_seconds
        self._environ = clean_environment(env)
        example = app_root / "local.settings.json.example"
        settings = settings or (example if example.is_file() else None)
        self._command = [sys.executable, "-m", "local_host", "--root", str(app_root)]
        self._command += ["--port", str(self.port), "--workers", str(workers)]
        self._command += ["--environment", environment]
        self._command += ["--settings", str(settings)] if settings else []
        self._command += arguments

    def __enter__(self) -> LocalHost:
        self.launch_and_wait(self._command, self._environ, self._wait_until_ready)
        return self

    def _wait_until_ready(self) -> None:
        self.wait_until(self._is_running, "The host was not ready", self._start_seconds)

    def _is_running(self) -> bool:
        try:
            # The host listens at once and answers when it is ready, so this mostly waits.
            answer = requests.get(f"{self.url}/admin/host/status", timeout=2)
        except requests.RequestException:
            return False
        return answer.status_code == 200 and answer.json()["state"] == "Running"
