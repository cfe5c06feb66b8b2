"""Checks the layout: top-level folders, function folders, and the modules of packages."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_tree import ROOT, deployed_names, function_folders, top_level_folders
from tools.list_package import FuncIgnore

SHIPPED = {"image_classifier", "models"}
LONGEST_MODULE = 300
LONGEST_MAIN = 15
# Their sub-packages hold no code in __init__.py ...
PACKAGES = ("benchmarks", "image_classifier", "local_host", "model_server", "tools")
# ... but for these, whose names people import from the package itself.
LIBRARIES = {"tools/azurite", "tools/export"}
# The names that the Functions host accepts for a function.
FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE)
# The tutorial tells its readers to put their model into the function's folder.
MAY_HOLD = {"classify": {"model.pb", "labels.txt"}}


def bindings(folder: Path) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = json.loads((folder / "function.json").read_text())["bindings"]
    return declared


def http_triggers() -> list[tuple[str, dict[str, Any]]]:
    return [
        (folder.name, binding)
        for folder in function_folders()
        for binding in bindings(folder)
        if binding["type"].lower() == "httptrigger"
    ]


def modules() -> Iterator[Path]:
    """Every Python file of the project but its tests."""
    yield ROOT / "dev.py"
    for folder in top_level_folders():
        if not folder.name.startswith(".") and folder.name not in ("tests", "frontend"):
            yield from sorted(folder.rglob("*.py"))


def test_each_top_level_folder_is_a_function_or_shipped_or_named_in_funcignore() -> None:
    rules = FuncIgnore((ROOT / ".funcignore").read_text())
    functions = {folder.name for folder in function_folders()}
    strays = [
        folder.name
        for folder in top_level_folders()
        if folder.name not in functions | SHIPPED and not rules.leaves_out_folder(folder.name)
    ]

    assert functions >= {"classify", "classify_queue", "negotiate", "status"}
    assert not strays, f"{strays}: put a function.json there, or name the folder in .funcignore"


def test_no_shipped_folder_is_named_in_funcignore() -> None:
    rules = FuncIgnore((ROOT / ".funcignore").read_text())
    shipped = SHIPPED | {folder.name for folder in function_folders()}

    assert not [name for name in shipped if rules.leaves_out_folder(name)]


def test_no_top_level_name_hides_a_module_of_python_or_of_a_dependency() -> None:
    """The worker has the app's root on sys.path, on some plans at its front."""
    ours = {path.stem for path in ROOT.glob("*.py")}
    ours |= {folder.name for folder in top_level_folders() if not folder.name.startswith(".")}
    theirs = deployed_names()

    assert {"numpy", "PIL", "werkzeug"} <= theirs
    assert not ours & theirs
    assert not ours & set(sys.stdlib_module_names)


def test_there_is_no_function_app_py() -> None:
    """It would switch the worker to the v2 programming model, which sees no folders."""
    assert not (ROOT / "function_app.py").exists()


@pytest.mark.parametrize("folder", function_folders(), ids=lambda folder: folder.name)
def test_function_folder_holds_its_code_and_its_bindings_only(folder: Path) -> None:
    allowed = {"__init__.py", "function.json", "README.md", "__pycache__"}
    allowed |= MAY_HOLD.get(folder.name, set())

    assert FUNCTION_NAME.fullmatch(folder.name)
    assert folder.name.lower() != "host"
    assert {path.name for path in folder.iterdir()} <= allowed
    assert (folder / "__init__.py").is_file()


@pytest.mark.parametrize("folder", function_folders(), ids=lambda folder: folder.name)
def test_main_is_thin(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text("utf-8"))
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [function.name for function in functions] == ["main"], "rules belong into the package"
    assert not [node for node in tree.body if isinstance(node, ast.ClassDef)]
    main = functions[0]
    assert (main.end_lineno or 0) - main.lineno < LONGEST_MAIN
    assert ast.get_docstring(main)


@pytest.mark.parametrize(("name", "trigger"), http_triggers(), ids=lambda value: str(value)[:20])
def test_http_trigger_is_anonymous_and_states_its_route(name: str, trigger: dict[str, Any]) -> None:
    assert trigger.get("authLevel") == "anonymous", f"{name}: the project checks keys itself"
    assert trigger.get("route"), f"{name}: host.json sets an empty prefix, so state the whole route"
    assert trigger.get("methods"), f"{name}: without methods, every method would match"


def test_routes_have_no_prefix() -> None:
    host = json.loads((ROOT / "host.json").read_text())

    assert host["extensions"]["http"]["routePrefix"] == ""


def test_modules_stay_short() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in modules()}
    long = {
        path.relative_to(ROOT).as_posix(): length
        for path, length in lengths.items()
        if length > LONGEST_MODULE
    }

    assert len(lengths) > 10
    assert not long, f"more than {LONGEST_MODULE} lines: {long}; one job each"


def test_the_init_of_a_sub_package_is_one_docstring() -> None:
    """Code there would run, and import, for each module of the package."""
    inits = {
        file.parent.relative_to(ROOT).as_posix(): file
        for package in PACKAGES
        for file in (ROOT / package).rglob("*/__init__.py")
    }
    faulty = [
        folder
        for folder, file in inits.items()
        if folder not in LIBRARIES and not is_one_docstring(file.read_text("utf-8"))
    ]

    assert {"image_classifier/engines", *LIBRARIES} <= set(inits)
    assert not faulty


def test_each_folder_of_a_package_has_an_init() -> None:
    folders = {file.parent for package in PACKAGES for file in (ROOT / package).rglob("*.py")}

    assert not [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()]


def is_one_docstring(source: str) -> bool:
    body = ast.parse(source).body
    return len(body) == 1 and ast.get_docstring(ast.parse(source)) is not None


@pytest.mark.parametrize(
    "source",
    ["", "# a comment", "import os", '"""Text."""\nimport os', "__all__ = []", "'a' + 'b'", "1"],
)
def test_another_init_is_found(source: str) -> None:
    assert not is_one_docstring(source)


def test_loading_the_functions_imports_no_machine_learning_runtime() -> None:
    """An app that only answers /api/status or hands out a SignalR token starts in no time."""
    packages = ["image_classifier", *(folder.name for folder in function_folders())]
    endpoints = (ROOT / "image_classifier" / "bindings").glob("*.py")
    packages += [
        f"image_classifier.bindings.{path.stem}" for path in endpoints if path.stem != "__init__"
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {packages!r}: importlib.import_module(name)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    loaded = set(done.stdout.split())

    assert done.returncode == 0, done.stderr
    assert {"image_classifier", "classify", "numpy"} <= loaded
    assert not loaded & {"tensorflow", "onnxruntime", "sklearn", "torch", "keras"}
