from __future__ import annotations

import psutil
import pytest

from benchmarks.servers.processes import running


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
