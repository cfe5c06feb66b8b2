"""Runs the local host for soak and burst, sends it requests, and measures its memory."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks import ROOT
from benchmarks.servers.app_host import ADDRESS, free_ports, wait_until_ready
from benchmarks.servers.processes import Program, running
from benchmarks.stress.requests import Request

REQUEST_SECONDS = 120
MEGABYTE = 2**20
SAMPLE_SECONDS = 0.02


@contextmanager
def host(
    limits: Mapping[str, int] | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[Program, int]]:
    """Runs the app as it is deployed; yields it and its port when it is ready.

    Args:
        limits: other values for ``extensions.http`` in host.json.
        environ: added to the host's environment.
    """
    with tempfile.TemporaryDirectory(prefix="app-") as name:
        root = Path(name)
        _copy_app(root, limits or {})
        (port,) = free_ports(1)
        arguments = ["--root", name, "--address", ADDRESS, "--port", str(port)]
        arguments += ["--settings", str(root / "local.settings.json.example")]
        with running("local_host", arguments, environ or {}) as program:
            wait_until_ready(program, port)
            yield program, port


def _copy_app(root: Path, limits: Mapping[str, int]) -> None:
    """Copies the functions, the package and the demo model, without a developer's own models."""
    folders = [path.parent.name for path in ROOT.glob("*/function.json")]
    for folder in (*folders, "image_classifier", "models/digits"):
        ignored = shutil.ignore_patterns("__pycache__", "model.pb" if folder in folders else "")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(ROOT / "local.settings.json.example", root)
    settings = json.loads((ROOT / "host.json").read_text("utf-8"))
    settings["extensions"]["http"].update(limits)
    (root / "host.json").write_text(json.dumps(settings), "utf-8")


class Client:
    """One client with one connection, which it opens again when the host closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, request: Request) -> int | str:
        """Sends a request; returns the status, or the name of the network's error."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                ADDRESS, self._port, timeout=REQUEST_SECONDS
            )
        try:
            headers = {"Content-Type": request.content_type}
            self._connection.request("POST", f"/api/classify{request.query}", request.body, headers)
            response = self._connection.getresponse()
            response.read()
            if response.will_close:
                self.close()
            return response.status
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            return type(exc).__name__

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class MemorySampler:
    """Samples the memory of a program in a thread."""

    def __init__(self, program: Program) -> None:
        self.peak_megabytes = 0.0
        self._program = program
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self.peak_megabytes = max(self.peak_megabytes, _peak_megabytes(self._program))

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.peak_megabytes = max(self.peak_megabytes, self._program.resident_megabytes())


def _peak_megabytes(program: Program) -> float:
    """Reads Linux's peak of a process, which misses nothing between two samples."""
    if sys.platform != "linux":
        return 0.0
    for line in Path(f"/proc/{program.process.pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def idle_megabytes(program: Program) -> float:
    """Waits until the memory of an idle program stops changing; returns it."""
    last = program.resident_megabytes()
    for _ in range(20):
        time.sleep(0.25)
        now = program.resident_megabytes()
        if abs(now - last) < 1:
            return now
        last = now
    return last
