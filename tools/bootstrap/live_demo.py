"""Runs the live pipeline on one machine: storage emulator, host, page, and queued sample images.

Standard library only: it is the command `live` of `dev.py`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.bootstrap.azurite_emulator import DEFAULT_PORT, Azurite, is_azurite
from tools.bootstrap.host_process import has_display, is_free, running_host

__all__ = ["SAMPLES_QUEUED", "WORKERS", "run_live"]

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
SAMPLES_QUEUED = 300
# Slow enough to watch for half a minute.
SAMPLES_A_SECOND = 10


def run_live(python: Path, port: int, *, browser: bool, workers: int, count: int) -> int:
    """Runs until Ctrl+C.

    Args:
        python: the interpreter that has the app's packages.
        port: the port for the host.
        browser: whether to open the page.
        workers: processes that run the functions.
        count: sample images to queue.

    Returns:
        The exit status.

    Raises:
        EnvironmentSetupError: a process did not start; the message has the advice.
    """
    with _storage() as connection:
        environ = {
            "AzureWebJobsStorage": connection,
            "AzureWebJobs.classify_queue.Disabled": "false",
            # The samples are on this machine.
            "FETCH_ALLOW_PRIVATE_ADDRESSES": "true",
        }
        with running_host(python, port, ["--workers", str(workers)], environ) as host:
            page = f"http://localhost:{port}/live.html"
            print(_welcome(page, connection, count))
            if browser and has_display():
                webbrowser.open(page)
            with _enqueueing(python, port, count, environ):
                return host.wait()


@contextmanager
def _storage() -> Iterator[str]:
    """Yields a connection string of an emulator that runs already, or of a new one."""
    if is_azurite(DEFAULT_PORT):
        print(f"An Azurite runs on port {DEFAULT_PORT} already: it is used, with what it holds.")
        yield "UseDevelopmentStorage=true"
        return
    with Azurite(DEFAULT_PORT if is_free(DEFAULT_PORT) else 0) as azurite:
        yield azurite.connection_string


def _welcome(page: str, connection: str, count: int) -> str:
    lines = [f"The live page: {page}"]
    if count:
        lines.append(f"{count} sample images are queued, {SAMPLES_A_SECOND} a second.")
    lines.append("More, from another terminal:")
    if connection != "UseDevelopmentStorage=true":
        lines.append(f"  export AzureWebJobsStorage='{connection}'")
    python = ".venv\\Scripts\\python" if os.name == "nt" else ".venv/bin/python"
    lines.append(f"  {python} -m tools.enqueue --generate --count 1000")
    lines.append(f"  {python} -m tools.drain_report")
    return "\n".join([*lines, ""])


@contextmanager
def _enqueueing(python: Path, port: int, count: int, environ: Mapping[str, str]) -> Iterator[None]:
    """Queues the samples meanwhile; its errors are printed and otherwise ignored."""
    if count == 0:
        yield
        return
    command = [str(python), "-m", "tools.enqueue", "--generate", "--count", str(count)]
    command += ["--rate", str(SAMPLES_A_SECOND), "--base-url", f"http://localhost:{port}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        start_new_session=True,  # on Ctrl+C this process ends it, without a message
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )

    def print_output() -> None:
        output, _ = process.communicate()
        if process.returncode >= 0:
            print(output, end="", flush=True)

    printer = threading.Thread(target=print_output, daemon=True)
    printer.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            process.terminate()
        printer.join()
