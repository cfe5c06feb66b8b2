"""The parts of the local host form a ladder: each imports from lower rungs only."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.app_tree import ROOT

PACKAGE = "local_host"

# From the ground up. Each part imports from itself and from the rungs below its own.
LADDER = (
    {"errors", "console"},
    {"sockets", "configuration"},
    {"functions", "signalr"},
    {"queues"},
    {"bindings"},
    {"host_config"},
    {"web"},
    {"startup_messages", "processes"},
    {"__main__"},
)
RUNGS = {part: rung for rung, parts in enumerate(LADDER) for part in parts}


def host_sources() -> dict[str, str]:
    """Module name -> source, for every module of the local host."""
    sources = {}
    for file in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = file.read_text("utf-8")
    return sources


@cache
def imported_names(source: str) -> frozenset[str]:
    """The dotted names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported_modules(module: str, sources: Mapping[str, str]) -> set[str]:
    """The modules of the local host that a module imports anywhere, also late or for types."""
    modules: set[str] = set()
    for name in imported_names(sources[module]):
        while name and name not in sources:
            name = name.rpartition(".")[0]
        if name:
            modules.add(name)
    return modules - {module}


def part_of(module: str) -> str:
    """The first name below the package: a sub-package or a lone module."""
    return module.split(".")[1] if "." in module else ""


def ladder_faults(sources: Mapping[str, str]) -> list[str]:
    """The imports that do not lead to a lower rung, as sentences."""
    faults = []
    for module in sources:
        part = part_of(module)
        for target in sorted(imported_modules(module, sources)):
            other = part_of(target)
            if other != part and not (
                part in RUNGS and other in RUNGS and RUNGS[other] < RUNGS[part]
            ):
                faults.append(f"{module} imports {target}, which is not on a lower rung")
    return faults


def circle(sources: Mapping[str, str]) -> list[str]:
    """The modules of a circle of imports; empty if there is none."""
    graph = {module: imported_modules(module, sources) for module in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        modules: list[str] = exc.args[1]
        return modules
    return []


def test_every_part_of_the_local_host_has_a_rung() -> None:
    parts = {part_of(module) for module in host_sources()} - {""}

    assert parts == set(RUNGS)


def test_parts_of_the_local_host_import_from_lower_rungs_only() -> None:
    assert ladder_faults(host_sources()) == []


def test_modules_of_the_local_host_do_not_import_in_a_circle() -> None:
    assert circle(host_sources()) == []


def test_package_files_of_the_local_host_hold_a_docstring_and_nothing_else() -> None:
    for file in (ROOT / PACKAGE).rglob("__init__.py"):
        tree = ast.parse(file.read_text("utf-8"))

        assert ast.get_docstring(tree) and len(tree.body) == 1, file


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("configuration.host_json", "from local_host.functions.function_table import Function"),
        ("functions.invoker", "from local_host import queues"),
        ("functions.loader", "import local_host.web.routes"),
        ("queues.listener", "from local_host.bindings.outputs import Write"),
        ("signalr.hubs", "from local_host.functions import loader"),
        ("signalr.hubs", "def late():\n    from local_host.queues.message import QueueCall"),
        ("bindings.targets", "from local_host.host_config import HostConfig"),
        ("web.admin", "from local_host.processes.worker import Worker"),
        ("startup_messages", "from local_host.processes import worker"),
        ("processes.worker", "from local_host.__main__ import main"),
        ("new_part", "from local_host.errors import HostError"),
    ],
)
def test_import_of_a_higher_rung_is_found(module: str, line: str) -> None:
    assert len(ladder_faults({**host_sources(), f"{PACKAGE}.{module}": line})) == 1


def test_circle_inside_a_part_is_found() -> None:
    line = "from local_host.queues.listener import QueueListener"
    sources = {**host_sources(), f"{PACKAGE}.queues.backoff": line}

    assert f"{PACKAGE}.queues.backoff" in circle(sources)
