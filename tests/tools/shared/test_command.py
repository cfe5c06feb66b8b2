"""The errors and signals of a command become one line and an exit status."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tools.shared.command import run_command
from tools.shared.errors import ToolError
from tools.shared.signals import INTERRUPTED, TERMINATED


def refuse() -> None:
    raise ToolError("There is no model.")


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate_this_process() -> None:
    signal.raise_signal(signal.SIGTERM)
    raise AssertionError("the signal did not end the work")


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


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_sigterm_stops_work_that_cleans_up(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    assert run_command(terminate_this_process, stopped="Stopped.") == TERMINATED
    assert run_command(terminate_this_process, stopped="Stopped.", terminated=7) == 7
    assert capsys.readouterr().err == "Stopped.\nStopped.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_runs_in_another_thread_too() -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(run_command(refuse, stopped="x")))
    thread.start()
    thread.join(10)

    assert statuses == [1]
