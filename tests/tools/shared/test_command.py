"""The errors and signals of a command become one line and an exit status."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from tests.support.app_tree import ROOT
from tools.shared.command import run_command
from tools.shared.errors import ToolError
from tools.shared.signals import INTERRUPTED, TERMINATED


def refuse() -> None:
    raise ToolError("There is no model.")


def interrupt() -> None:
    raise KeyboardInterrupt


def test_the_status_is_that_of_the_work_and_0_without_one() -> None:
    assert run_command(lambda: 3) == 3
    assert run_command(lambda: None) == 0


def test_an_error_is_one_line_after_its_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(refuse) == 1
    assert run_command(refuse, prefix="refused", show=lambda exc: str(exc).upper()) == 1

    assert capsys.readouterr().err == "error: There is no model.\nrefused: THERE IS NO MODEL.\n"


def test_other_exceptions_are_bugs_unless_they_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise ValueError("It is no number.")

    with pytest.raises(ValueError, match="no number"):
        run_command(fail)
    assert run_command(fail, errors=(ToolError, ValueError)) == 1
    assert capsys.readouterr().err == "error: It is no number.\n"


@pytest.mark.parametrize("stopped", [None, "Stopped."])
def test_ctrl_c_has_its_status_and_a_line_only_after_work_that_cleans_up(
    stopped: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(interrupt, stopped=stopped) == INTERRUPTED
    assert capsys.readouterr().err == (f"{stopped}\n" if stopped else "")


SIGTERM = """
import signal
from tools.shared.command import run_command
before = signal.getsignal(signal.SIGTERM)
def end():
    signal.raise_signal(signal.SIGTERM)
    raise AssertionError("the signal was not raised")
print(run_command(end, stopped="Stopped."), run_command(end, stopped="Stopped.", terminated=7))
print(signal.getsignal(signal.SIGTERM) is before)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_sigterm_stops_work_that_cleans_up() -> None:
    """In a process of its own, which a signal that nobody handles would end."""
    done = subprocess.run(
        [sys.executable, "-c", SIGTERM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.stdout == f"{TERMINATED} 7\nTrue\n"
    assert done.stderr == "Stopped.\nStopped.\n"


def test_a_command_runs_in_another_thread_too() -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(run_command(refuse, stopped="x")))
    thread.start()
    thread.join(10)

    assert statuses == [1]
