"""The local host as a process: its port looked at, started, waited for, ended by its id.

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

__all__ = ["check_port", "has_display", "is_free", "running_host"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 10


@contextmanager
def running_host(
    python: Path, port: int, arguments: Sequence[str] = (), environ: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the local host and gives its process when it answers; ends it in the end.

    Args:
        python: the interpreter that has the app's packages.
        port: where it is to listen.
        arguments: more of its command line.
        environ: added to this process's own.

    Raises:
        EnvironmentSetupError: it did not answer in time, or ended; its own words are on the
            terminal.
    """
    command = [str(python), "-m", "local_host", "--port", str(port), *arguments]
    # In a session of its own it does not see Ctrl+C; this process does, and ends it in good order.
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environ}, start_new_session=True
    ) as host:
        try:
            _wait_until_ready(host, port)
            yield host
        except KeyboardInterrupt:
            print("\nStopping …")
            raise
        finally:
            _stop(host)


def check_port(port: int, command: str) -> None:
    """Says what is wrong with a port, and what to type in place of it.

    Args:
        port: to listen on.
        command: of dev.py, for the advice.

    Raises:
        EnvironmentSetupError: it is no port, or another program has it.
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
    """Whether nobody listens on a port of this machine."""
    # Both families: for localhost, curl asks ::1 first, and must not meet another server there.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            # On some systems this address can be bound although a server has the port on all.
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


def _wait_until_ready(host: subprocess.Popen[bytes], port: int) -> None:
    # A proxy that the environment names is not asked for this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + START_SECONDS
    while host.poll() is None and time.monotonic() < give_up:
        try:
            with opener.open(f"http://127.0.0.1:{port}/admin/host/status", timeout=5):
                # The host lists its functions in this very moment; that comes first.
                time.sleep(0.3)
                return
        except OSError:
            time.sleep(0.1)
    if host.returncode is None:
        raise EnvironmentSetupError(
            f"The app did not answer within {START_SECONDS} s; its own words are above."
        )
    raise EnvironmentSetupError(
        f"The app did not start (exit {host.returncode}); its own words are above."
    )


def _stop(host: subprocess.Popen[bytes]) -> None:
    if host.poll() is None:
        host.terminate()
    try:
        host.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        host.kill()


def has_display() -> bool:
    """Whether a browser could show a page."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
