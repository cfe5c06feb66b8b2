"""The law of imports among the tools: no circles, and a bootstrap of the standard library."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from tests.project.test_imports import circles, imported_modules, imports_of, package_of
from tests.support.app_tree import ROOT

BOOTSTRAP = "tools.bootstrap"
# The modules of the app that dev.py imports before anything is installed.
OF_THE_HOST = (
    "local_host.configuration.local_settings",
    "local_host.configuration.json_file",
    "local_host.errors",
    "local_host.queues.storage_account",
)


def sources_of(*folders: str) -> dict[str, str]:
    """Module name -> source, of all modules below folders of the repository."""
    sources = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if "node_modules" not in parts:
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                sources[name] = file.read_text("utf-8")
    return sources


def packages_of(sources: Mapping[str, str]) -> dict[str, str]:
    """Package -> lines with its imports of other packages: tools.zoo.head is in tools.zoo."""
    packages: dict[str, str] = {}
    for module in sources:
        others = sorted(imported_modules(module, sources))
        lines = "".join(f"import {package_of(other)}\n" for other in others)
        packages[package_of(module)] = packages.get(package_of(module), "") + lines
    return packages


def foreign_imports(sources: Mapping[str, str]) -> list[str]:
    """The imports of modules of the bootstrap that need anything installed, as sentences."""
    sentences = []
    for module, source in sources.items():
        if not (module == BOOTSTRAP or module.startswith(f"{BOOTSTRAP}.")):
            continue
        for each in imports_of(source):
            top = each.target.partition(".")[0]
            of_ours = (BOOTSTRAP, *OF_THE_HOST)
            if top not in sys.stdlib_module_names and not each.target.startswith(of_ours):
                sentences.append(f"{module}, line {each.line}: imports {each.target}")
    return sentences


def test_no_tool_imports_another_in_a_circle() -> None:
    sources = sources_of("tools")

    assert {"tools.zoo.head", "tools.shared.errors", "tools.capacity"} <= sources.keys()
    assert circles(sources) == set()
    assert circles(packages_of(sources)) == set()


def test_shared_modules_and_the_bootstrap_import_no_tool() -> None:
    packages = packages_of(sources_of("tools"))

    for package in ("tools.shared", BOOTSTRAP):
        assert imported_modules(package, packages) == set()


def test_the_bootstrap_imports_the_standard_library_and_what_dev_py_may_import() -> None:
    sources = sources_of("tools/bootstrap", "local_host")
    reached = {BOOTSTRAP, *OF_THE_HOST}
    while more := {each for name in reached for each in imported_modules(name, sources)} - reached:
        reached |= more

    assert foreign_imports(sources) == []
    for name in reached - {BOOTSTRAP}:
        tops = {each.target.partition(".")[0] for each in imports_of(sources[name])}
        assert tops <= {*sys.stdlib_module_names, "local_host"}, name


@pytest.mark.parametrize(
    "line",
    ["import requests", "from tools.shared.errors import ToolError", "import local_host.config"],
)
def test_an_import_that_needs_an_installation_is_found(line: str) -> None:
    sources = {f"{BOOTSTRAP}.new": f"import os\ndef late() -> None:\n    {line}\n"}

    assert foreign_imports(sources) == [
        f"{BOOTSTRAP}.new, line 3: imports {line.split()[1]}"
        + (".ToolError" if "ToolError" in line else "")
    ]


def test_a_circle_between_packages_without_one_between_modules_is_found() -> None:
    sources = {
        "tools.a.one": "import tools.b.two",
        "tools.b.two": "",
        "tools.b.three": "import tools.a.one",
    }

    assert circles(sources) == set()
    assert circles(packages_of(sources)) == {frozenset({"tools.a", "tools.b"})}
