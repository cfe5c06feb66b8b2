"""Starting, stopping, dying: the processes of the local host."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TypeAlias

import pytest
import requests

from local_host.__main__ import main
from tests.support.apps import write_app, write_function
from tests.support.servers import ROOT, LocalHost, clean_environment, free_port

Capture: TypeAlias = pytest.CaptureFixture[str]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_host", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pid(host: LocalHost) -> int:
    answer = requests.get(host.url + "/admin/host/status", timeout=20)
    number: int = answer.json()["processId"]
    return number


def workers(host: LocalHost, seconds: float = 20.0) -> set[int]:
    """The ids of two workers, as soon as both have answered."""
    deadline = time.monotonic() + seconds
    found: set[int] = set()
    while len(found) < 2:
        found.add(pid(host))
        assert time.monotonic() < deadline, f"only {found} answered:\n{host.log()}"
    return found


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_busy_port_is_told_in_core_tools_words(tmp_path: Path) -> None:
    write_app(tmp_path)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        result = run("--root", str(tmp_path), "--port", str(port))

    assert result.returncode == 1
    assert result.stderr == (
        f"Port {port} is unavailable. Close the process using that port, or specify another "
        "port using --port [-p].\n"
    )


def test_root_that_is_no_app_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert main(["--root", str(tmp_path)]) == 1
    assert "no host.json" in capsys.readouterr().err


def test_function_app_of_the_v2_model_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (write_app(tmp_path) / "function_app.py").touch()

    assert main(["--root", str(tmp_path)]) == 1
    assert "ignore every function folder" in capsys.readouterr().err


def test_bad_number_in_a_setting_names_key_and_value(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", "many")
    monkeypatch.setenv("AZURE_FUNCTIONS_ENVIRONMENT", "put back after the test")

    assert main(["--root", str(write_app(tmp_path)), "--port", "0"]) == 1
    assert "PYTHON_THREADPOOL_THREAD_COUNT='many'" in capsys.readouterr().err


def test_help_names_every_argument(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])

    text = capsys.readouterr().out
    names = ["--port", "--address", "--workers", "--root", "--settings", "--environment"]
    for name in [*names, "--images", "--pin-workers"]:
        assert name in text


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--workers", "0"], ["--port", "x"]])
def test_argument_out_of_range_is_a_usage_error(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert arguments[0] in capsys.readouterr().err


@posix_only
@pytest.mark.parametrize(
    ("number", "count"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 2)]
)
def test_signal_stops_cleanly_with_an_open_connection(
    tmp_path: Path, number: signal.Signals, count: int
) -> None:
    with LocalHost(write_app(tmp_path), workers=count) as host, requests.Session() as session:
        assert session.get(host.url + "/admin/host/ping", timeout=20).ok
        host.process.send_signal(number)

        assert host.process.wait(20) == 0
        assert "Traceback" not in host.log()
        assert refuses_connections(host.port)


@posix_only
def test_stop_does_not_wait_for_a_function_that_hangs(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "hang", "def main(req): time.sleep(600)")
    with LocalHost(tmp_path) as host:

        def call() -> None:
            # Cut off, or told 500: the host leaves before the function has an answer.
            with contextlib.suppress(requests.ConnectionError):
                assert not requests.get(host.url + "/api/hang", timeout=60).ok

        caller = threading.Thread(target=call)
        caller.start()
        host.wait_for_log("Executing 'Functions.hang'")
        start = time.monotonic()

        assert host.stop() == 0
        assert time.monotonic() - start < 8
        assert "Stopped while functions were running" in host.log()
        assert "Traceback" not in host.log()
        caller.join()


def test_thread_count_setting_bounds_the_pool(tmp_path: Path) -> None:
    source = "import threading\ndef main(req): return threading.current_thread().name"
    write_function(write_app(tmp_path), "who", source)
    with LocalHost(tmp_path, {"PYTHON_THREADPOOL_THREAD_COUNT": "1"}) as host:
        names = {requests.get(host.url + "/api/who", timeout=20).text for _ in range(5)}

    assert len(names) == 1


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux binds processes to cores")
def test_pinned_workers_have_a_core_each_and_so_has_one_that_replaces_another(
    tmp_path: Path,
) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("there is one core only")
    with LocalHost(write_app(tmp_path), workers=2, arguments=["--pin-workers"]) as host:
        before = workers(host)
        os.kill(min(before), signal.SIGKILL)
        after = workers(host)

        assert len(before & after) == 1
        assert sorted(map(os.sched_getaffinity, after), key=min) == [{cores[0]}, {cores[1]}]


def test_more_pinned_workers_than_cores_is_a_usage_error(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--pin-workers", "--workers", "64"])

    assert "a core for each worker" in capsys.readouterr().err


@posix_only
def test_worker_that_dies_is_replaced_and_load_errors_are_told_once(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "broken", "import not_there")
    write_function(tmp_path, "who", "def main(req):\n    logging.info('here')\n    return 'me'")
    with LocalHost(tmp_path, workers=2) as host:
        before = workers(host)
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        host.wait_for_log(
            rf"Worker [12] \(process {victim}\) ended: killed by SIGKILL\. Starting another\."
        )

        after = workers(host)
        assert victim not in after and before < after
        assert host.process.pid not in after
        assert requests.get(host.url + "/api/who", timeout=20).text == "me"
        host.wait_for_log(r"(?m)^\[[^\]]+Z\] here$")
        assert host.log().count("Functions:\n") == 1
        assert host.log().count("The 'broken' function is in error") == 1


@posix_only
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with LocalHost(write_app(tmp_path), workers=2) as host:
        workers(host)
        host.process.kill()
        deadline = time.monotonic() + 20
        while not refuses_connections(host.port):
            assert time.monotonic() < deadline, "the workers live on"


def test_workers_that_cannot_start_stop_the_host(tmp_path: Path) -> None:
    write_function(write_app(tmp_path), "fatal", "os._exit(7)")
    result = run("--root", str(tmp_path), "--port", str(free_port()), "--workers", "2")

    assert result.returncode == 1
    assert "exit status 7" in result.stdout and "the host stops" in result.stdout


def test_start_that_fails_is_told_with_the_log(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"\(exit 1\)(?s:.*)no host.json"), LocalHost(tmp_path):
        pass
