from __future__ import annotations

import sys

import psutil
import pytest

from benchmarks.servers.app_host import ADDRESS, free_ports
from benchmarks.servers.processes import ProgramFailed, answers_get, run_command, running


def test_a_program_is_weighed_while_it_runs_and_ended_in_the_end() -> None:
    with running("http.server", ["0", "--bind", "127.0.0.1"], {}) as program:
        assert program.is_running()
        assert 1 < program.resident_megabytes() < 1000

    assert not program.is_running()
    assert not psutil.pid_exists(program.process.pid)


def test_a_program_is_ended_also_when_the_measuring_fails() -> None:
    with (
        pytest.raises(ZeroDivisionError),
        running("http.server", ["0", "--bind", "127.0.0.1"], {}) as program,
    ):
        raise ZeroDivisionError

    assert not program.is_running()


def test_a_failure_has_the_programs_own_last_words() -> None:
    with running("http.server", ["no-port"], {}) as program:
        program.process.wait(timeout=30)
        failure = program.failure("did not start")

    assert str(failure).startswith("http.server (exit 2) did not start.")
    assert "no-port" in str(failure)


def test_output_can_be_read_line_by_line() -> None:
    with running("platform", [], {"TF_CPP_MIN_LOG_LEVEL": "3"}, read_output=True) as program:
        assert program.process.stdout is not None
        assert len(list(program.process.stdout)) == 1


def test_a_program_is_waited_for_until_it_answers() -> None:
    (port,) = free_ports(1)
    with running("http.server", [str(port), "--bind", ADDRESS], {}) as program:
        program.wait_until(lambda: answers_get(ADDRESS, port, "/"), "did not answer")
        assert not answers_get(ADDRESS, port, "/no/such/file"), "404 is no health"


def test_a_program_that_ends_is_not_waited_for() -> None:
    def answers() -> bool:
        raise AssertionError("it is not asked any more")

    command = [sys.executable, "-c", "import sys; print('no model'); sys.exit(3)"]
    with run_command(command, {}, name="greeting") as program:
        program.process.wait()
        with pytest.raises(ProgramFailed, match=r"greeting \(exit 3\) did not answer.*\nno model"):
            program.wait_until(answers, "did not answer")


def test_a_program_that_does_not_answer_in_time_fails_while_it_runs() -> None:
    with (
        pytest.raises(ProgramFailed, match=r"http\.server \(running\) did not answer"),
        running("http.server", ["0", "--bind", ADDRESS], {}) as program,
    ):
        program.wait_until(lambda: False, "did not answer", seconds=0.05)

    assert not program.is_running()


LEADER = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
for own_session in (False, True):
    print(subprocess.Popen([sys.executable, "-c", ignoring], start_new_session=own_session).pid)
sys.stdout.flush()
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_a_group_ends_with_all_its_workers_also_those_that_left_it() -> None:
    command = [sys.executable, "-c", LEADER]
    with run_command(
        command, {}, name="leader", read_output=True, in_group=True, stop_seconds=0.2
    ) as program:
        assert program.process.stdout is not None
        workers = [psutil.Process(int(program.process.stdout.readline())) for _ in range(2)]

    assert not program.is_running()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), alive) == (2, [])
