"""The law of imports for the packages beside the app: no circle between files or packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from benchmarks import ROOT

PACKAGES = ("benchmarks", "model_server", "image_classifier_client", "examples")


def sources_of(package: str) -> dict[str, str]:
    """Module name -> source, for every module of a package."""
    sources = {}
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if "build" not in parts:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = file.read_text("utf-8")
    return sources


def targets_of(source: str) -> Iterator[str]:
    """Every name that a module imports, dotted; also inside functions and for types."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> the modules of the same package that it imports."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        imported = graph[module] = set()
        for target in targets_of(source):
            while target and target not in sources:
                target = target.rpartition(".")[0]
            if target and target != module:
                imported.add(target)
    return graph


def packages(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """The same for sub-packages; a module that lies directly in the package stands by itself."""

    def place(module: str) -> str:
        return ".".join(module.split(".")[:2])

    graph: dict[str, set[str]] = {}
    for module, imported in files(sources).items():
        others = {place(target) for target in imported} - {place(module)}
        graph.setdefault(place(module), set()).update(others)
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes of one circle; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        return [str(node) for node in exc.args[1]]
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_imported_in_a_circle(package: str) -> None:
    sources = sources_of(package)

    assert len(sources) > 5
    assert circle(files(sources)) == []
    assert circle(packages(sources)) == []


def test_a_circle_of_files_is_found_also_where_it_is_imported_late() -> None:
    sources = {
        "benchmarks": "",
        "benchmarks.a": "def f():\n    from benchmarks import b",
        "benchmarks.b": "from benchmarks.a import f",
    }

    assert set(circle(files(sources))) == {"benchmarks.a", "benchmarks.b"}


def test_a_circle_of_packages_is_found_where_no_files_form_one() -> None:
    sources = {
        "benchmarks.load.plan": "",
        "benchmarks.load.process": "from benchmarks.data.images import jpeg",
        "benchmarks.data.images": "from benchmarks.load.plan import Load",
    }

    assert circle(files(sources)) == []
    assert set(circle(packages(sources))) == {"benchmarks.load", "benchmarks.data"}


@pytest.mark.parametrize("package", ["benchmarks", "model_server"])
def test_a_sub_packages_init_is_one_docstring(package: str) -> None:
    for file in sorted((ROOT / package).rglob("*/__init__.py")):
        if file.parent != ROOT / package:
            (statement,) = ast.parse(file.read_text("utf-8")).body
            assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
