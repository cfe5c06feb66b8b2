"""Chooses which tests run: a pytest plugin that marks them by their needs.

    --quick                 no TensorFlow, no browser, no processes, nothing slow: seconds
    --without tensorflow    as where TensorFlow is not installed
    --shuffle 7             in another order, which the number decides

A test that starts a process under ``--quick`` although it has no mark fails, and TensorFlow cannot
be imported under both of the first two: so the marks are complete.
"""

from __future__ import annotations

import inspect
import os
import platform
import random
import re
import sys
from collections.abc import Generator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.support.hidden_packages.sitecustomize import VARIABLE, hide_packages_everywhere
from tests.support.needs import TENSORFLOW_PACKAGES, needs_of

NOT_QUICK = frozenset({"tensorflow", "browser", "process", "slow"})
PROCESS_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"})
MODULE_MARKS = re.compile(r"^pytestmark = (?:\[.*?^\]|[^\n]*)", re.MULTILINE | re.DOTALL)

_running: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("selection of this repository's tests")
    group.addoption("--quick", action="store_true", help="only tests that need this process alone")
    group.addoption(
        "--without", choices=["tensorflow"], help="hide the package, leave out what is about it"
    )
    group.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in another order")


def pytest_configure(config: pytest.Config) -> None:
    # Workers of pytest-xdist inherit what their controller hides.
    if _left_out(config) & {"tensorflow"} and VARIABLE not in os.environ:
        assert "tensorflow" not in sys.modules
        hide_packages_everywhere(TENSORFLOW_PACKAGES)
    if config.getoption("--quick"):
        # Python asks `uname` for this once in a process, in whichever test makes an SDK's client.
        platform.platform()
        sys.addaudithook(_trap_processes)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Passes over a file whose ``pytestmark`` leaves all of it out: importing it takes time."""
    left_out = _left_out(config)
    if not left_out or not collection_path.match("test_*.py"):
        return None
    marks = MODULE_MARKS.search(collection_path.read_text("utf-8"))
    named = set(re.findall(r"pytest\.mark\.(\w+)", marks[0])) if marks else set()
    return True if named & left_out else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        for need in needs_of(_functions_of(item)):
            item.add_marker(need)
        marks = {mark.name for mark in item.iter_markers()}
        (dropped if marks & _left_out(config) else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    seed = config.getoption("--shuffle")
    items[:] = _slow_first(kept) if seed is None else _shuffled(kept, random.Random(seed))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    _running.append(item.nodeid)
    try:
        return (yield)
    finally:
        _running.clear()


def _left_out(config: pytest.Config) -> frozenset[str]:
    """The marks whose tests do not run."""
    without = config.getoption("--without")
    return NOT_QUICK if config.getoption("--quick") else frozenset({without} if without else ())


def _functions_of(item: pytest.Item) -> list[Any]:
    """The test's function, its fixtures' and those among its parameters."""
    if not isinstance(item, pytest.Function):
        return []
    fixtures = item._fixtureinfo.name2fixturedefs  # pytest has no public name for it
    found = [item.function, *(each.func for row in fixtures.values() for each in row)]
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return found + [each for each in parameters if inspect.isfunction(each)]


def _slow_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Files with heavy tests first, else as they are: at the end all workers have work to do."""
    heavy = {"slow", "tensorflow"}
    paths = {item.path for item in items if any(mark.name in heavy for mark in item.iter_markers())}
    return sorted(items, key=lambda item: item.path not in paths)


def _shuffled(items: list[pytest.Item], chance: random.Random) -> list[pytest.Item]:
    """Modules in another order, and tests within each; a module's servers still start once."""
    modules = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    chance.shuffle(modules)
    for module in modules:
        chance.shuffle(module)
    return [item for module in modules for item in module]


def _trap_processes(event: str, arguments: tuple[Any, ...]) -> None:
    if event in PROCESS_EVENTS and _running:
        raise AssertionError(
            f"{_running[0]} starts a process ({event}: {arguments[:2]}): mark it "
            "`pytest.mark.process`, so that --quick leaves it out"
        )
