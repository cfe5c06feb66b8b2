"""Tests are marked by what their code needs, and traps find those that lack a mark."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hidden_packages.sitecustomize import VARIABLE
from tests.support.needs import needs_of
from tests.support.servers import ROOT, LocalHost, free_port


def imports_tensorflow() -> None:
    import tensorflow  # noqa: F401


def imports_a_message() -> None:
    from tensorflow_serving.apis import predict_pb2  # noqa: F401


def calls_a_helper() -> None:
    [imports_tensorflow for _ in "a"]


def starts_a_server() -> None:
    LocalHost()


def imports_a_helper() -> None:
    from tests.support.model_servers import ModelServer

    ModelServer()


@given(st.integers())
def is_a_property(_: int) -> None:
    imports_tensorflow()


def drives_a_browser() -> None:
    from playwright.sync_api import sync_playwright  # noqa: F401


def needs_nothing() -> None:
    assert free_port()


@pytest.mark.parametrize(
    ("function", "needs"),
    [
        (imports_tensorflow, {"tensorflow"}),
        (imports_a_message, {"tensorflow"}),
        (calls_a_helper, {"tensorflow"}),
        (starts_a_server, {"process"}),
        (imports_a_helper, {"process"}),
        (is_a_property, {"tensorflow"}),
        (drives_a_browser, {"browser"}),
        (needs_nothing, set()),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
@pytest.mark.process  # as its parameters are
def test_needs_show_in_the_code_of_a_test(function: Callable[[], Any], needs: set[str]) -> None:
    assert needs_of([function]) == needs


def run_pytest(folder: Path, test: str, *options: str) -> str:
    """The closing lines of a run of one test file outside of this repository."""
    (folder / "test_one.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.selection", "-q", *options]
    command += ["-p", "no:cacheprovider", f"--rootdir={folder}", "--noconftest", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_quick_fails_a_test_that_starts_a_process_in_secret(tmp_path: Path) -> None:
    # As no name in its code shows.
    secret = (
        "import sys\n"
        "def test_it():\n"
        "    getattr(sys.modules['os'], 'posix_' + 'spawn')('/bin/true', ['true'], {})\n"
    )

    said = run_pytest(tmp_path, secret, "--quick")

    assert "1 failed" in said
    assert "mark it `pytest.mark.process`" in said
    assert "1 passed" in run_pytest(tmp_path, secret)


def test_without_tensorflow_it_is_not_there_for_a_test_and_its_processes(tmp_path: Path) -> None:
    asks = (
        "import importlib, importlib.util, os, sys\n"
        "QUESTION = 'import importlib.util as u; print(u.find_spec(\"tensorflow\"))'\n"
        "def test_it():\n"
        "    assert importlib.util.find_spec('tensorflow') is None\n"
        "    try:\n"
        "        importlib.import_module('tensorflow')\n"
        "    except ModuleNotFoundError:\n"
        "        assert os.popen(f\"'{sys.executable}' -c '{QUESTION}'\").read() == 'None\\n'\n"
        "    else:\n"
        "        raise AssertionError\n"
    )

    said = run_pytest(tmp_path, asks, "--without", "tensorflow")

    assert "1 passed" in said, said
    assert VARIABLE == "TESTS_HIDE"


def test_a_file_that_is_marked_as_a_whole_is_not_even_imported(tmp_path: Path) -> None:
    marked = "import pytest\npytestmark = [\n    pytest.mark.browser,\n]\nraise SystemExit(9)\n"

    assert "no tests ran" in run_pytest(tmp_path, marked, "--quick")


def test_another_order_is_the_same_for_the_same_number(tmp_path: Path) -> None:
    many = "".join(f"def test_{number}(): pass\n" for number in range(20))
    orders = {
        seed: re.sub(r"in [0-9.]+s", "", run_pytest(tmp_path, many, "--collect-only", *option))
        for seed, option in (
            ("none", ()),
            ("one", ("--shuffle=1",)),
            ("again", ("--shuffle=1",)),
            ("two", ("--shuffle=2",)),
        )
    }

    assert orders["one"] == orders["again"]
    assert len({orders[each] for each in ("none", "one", "two")}) == 3


def test_ports_are_not_given_out_twice() -> None:
    ports = [free_port() for _ in range(100)]

    assert len(set(ports)) == 100
    assert all(20_000 <= port < 32_000 for port in ports)
