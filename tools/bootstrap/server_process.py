"""Runs a server as a child process: starts it, polls until it answers, ends it by its id.

Standard library only, and no syntax that Python 3.8 would not read: `dev.py` imports this before
anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.bootstrap.environments import EnvironmentSetupError

__all__ = ["ServerProcess"]


class ServerProcess:
    """A server as a child process.

    Args:
        name: of the server, as the subject of messages.
        command: the program and its arguments.
        folder: the working directory.
        environ: added to the environment of this process.
        log: keeps the output in a temporary file, which is printed if the server does not start.
            Without a log the output goes to the terminal.
        own_session: Ctrl+C on the terminal reaches only this process, which then ends the server.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str] = {},
        log: bool = False,
        own_session: bool = False,
    ) -> None:
        self._name = name
        with contextlib.ExitStack() as stack:
            self._log = stack.enter_context(tempfile.TemporaryFile()) if log else None
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL if log else None,
                stdout=self._log,
                stderr=subprocess.STDOUT if log else None,
                start_new_session=own_session,
            )
            self._resources = stack.pop_all()

    def wait_until(
        self, is_ready: Callable[[], bool], *, seconds: float, poll_seconds: float
    ) -> None:
        """Waits until the server answers.

        Args:
            is_ready: whether it answers.
            seconds: the longest wait.
            poll_seconds: the pause between two attempts.

        Raises:
            EnvironmentSetupError: the server ended, or did not answer in time. Its output is on
                the terminal.
        """
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if is_ready():
                return
            time.sleep(poll_seconds)
        if self._log is not None:
            self._log.seek(0)
            print(self._log.read().decode("utf-8", "replace"), end="")
        if self.process.returncode is None:
            raise EnvironmentSetupError(
                f"{self._name} did not answer within {seconds:g} s; its output is above."
            )
        raise EnvironmentSetupError(
            f"{self._name} did not start (exit {self.process.returncode}); its output is above."
        )

    def stop(self, seconds: float) -> None:
        """Asks the server to end, and kills it if it still runs after so many seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._resources.close()
