"""Servers as subprocesses for tests: real processes, real sockets, ended by their id."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import requests

from image_classifier.settings import SETTINGS

__all__ = ["ROOT", "LocalHost", "ServerProcess", "clean_environment", "free_port"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
# What a developer's shell may hold and what would change how an app behaves.
APP_PREFIXES = ("AZURE", "FUNCTIONS_", "PYTHON_", "WEBSITE_")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


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
    """A server as a subprocess whose words go to a file, ended by its id.

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
        """What the server wrote so far, to stdout and stderr."""
        return self._log.read_text("utf-8", "replace")

    def wait_for_log(self, pattern: str, seconds: float | None = None) -> re.Match[str]:
        """Waits until the log has a match for the regular expression; lines come a little late.

        Raises:
            AssertionError: it did not come, or the server has ended; the message has the log.
        """
        deadline = time.monotonic() + (self.log_seconds if seconds is None else seconds)
        while True:
            has_ended = self.process.poll() is not None  # asked first: the last words count
            found = re.search(pattern, self.log())
            if found:
                return found
            if has_ended or time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} is not in the server's log:\n{self.log()}")
            time.sleep(0.02)


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
        self.launch(self._command, self._environ)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"The host ended with status {self.process.returncode}:\n{self.log()}"
                )
            try:
                # The host listens at once and answers when it is ready, so this mostly waits.
                answer = requests.get(f"{self.url}/admin/host/status", timeout=2)
            except requests.RequestException:
                time.sleep(0.02)
                continue
            if answer.status_code == 200 and answer.json()["state"] == "Running":
                return
        raise AssertionError(
            f"The host was not ready after {self._start_seconds:g} seconds:\n{self.log()}"
        )
