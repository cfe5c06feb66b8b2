"""Runs the local host as a child process, on a port that is free.

Standard library only, and no syntax that Python 3.8 would not read: `dev.py` imports this before
anything is installed.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.bootstrap.environments import EnvironmentSetupError
from tools.bootstrap.server_process import ServerProcess

__all__ = ["check_port", "has_display", "is_free", "running_host"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 10


@contextmanager
def running_host(
    python: Path, port: int, arguments: Sequence[str] = (), environ: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the local host for the ``with`` block, which begins when the host answers.

    Args:
        python: the interpreter that has the app's packages.
        port: the port to listen on.
        arguments: further arguments of the host.
        environ: added to the environment of this process.

    Raises:
        EnvironmentSetupError: the host ended, or did not answer in time; its output is on the
            terminal.
    """
    command = [str(python), "-m", "local_host", "--port", str(port), *arguments]
    # In a session of its own it does not see Ctrl+C; this process does, and ends it in good order.
    host = ServerProcess("The app", command, folder=ROOT, environ=environ, own_session=True)
    try:
        host.wait_until(lambda: _answers(port), seconds=START_SECONDS, poll_seconds=0.1)
        # At this moment the host prints the list of its functions, which must come first.
        time.sleep(0.3)
        yield host.process
    except KeyboardInterrupt:
        print("\nStopping …")
        raise
    finally:
        host.stop(STOP_SECONDS)


def check_port(port: int, command: str) -> None:
    """Refuses a port that cannot be used, and names one that can.

    Args:
        port: the port to listen on.
        command: of dev.py, for the advice.

    Raises:
        EnvironmentSetupError: it is not a port, or another program uses it.
    """
    if not 0 < port < 65536:
        raise EnvironmentSetupError(f"--port {port}: a port is a number from 1 to 65535.")
    if not is_free(port):
        free = next((p for p in range(port + 1, 65536) if is_free(p)), 7071)
        raise EnvironmentSetupError(
            f"Port {port} is in use by another program: end that one, or start on the next free "
            f"port with `python3 dev.py {command} --port {free}`."
        )


def is_free(port: int) -> bool:
    """Whether no program listens on a port of this machine."""
    # Both families: for localhost, curl tries ::1 first, and must not reach another server there.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            # On some systems this address can be bound although a server listens on all addresses.
            with socket.socket(family) as probe:
                probe.settimeout(0.2)
                if probe.connect_ex((host, port)) == 0:
                    return False
            with socket.socket(family) as probe:
                if os.name != "nt":  # where it means something else: two servers on one port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as exc:
            if exc.errno == errno.EACCES:
                sentence = f"Port {port} needs administrator's rights: take one above 1023."
                raise EnvironmentSetupError(sentence) from exc
            if exc.errno == errno.EADDRINUSE:
                return False
    return True


def _answers(port: int) -> bool:
    # Without the proxy that the environment may name: the address is one of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/admin/host/status", timeout=5):
            return True
    except OSError:
        return False


def has_display() -> bool:
    """Whether a browser could show a page."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
