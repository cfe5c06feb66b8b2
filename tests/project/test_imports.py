"""The law of imports: dependencies point one way, and heavy things are imported late."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.support.app_tree import ROOT, deployed_names, function_folders

PACKAGE = "image_classifier"
BINDINGS = f"{PACKAGE}.bindings"
ENGINES = f"{PACKAGE}.engines"
ENGINE_TABLE = (f"{ENGINES}.base", f"{ENGINES}.registry")

# The modules that know Azure's storage.
STORAGE = (f"{PACKAGE}.stores.blob_container", f"{PACKAGE}.stores.storage_errors")

# From the ground up; a module imports from its own floor or one below. What is not named here is a
# stage of the pipeline: fetch, decode, preprocess, model, engines …
STAGES = 1
FLOORS = {
    f"{PACKAGE}.errors": 0,
    f"{PACKAGE}.results": 0,
    f"{PACKAGE}.setting_parsers": 0,
    f"{PACKAGE}.storage_settings": 0,
    f"{PACKAGE}.settings": 0,
    f"{PACKAGE}.classifier": 2,
    PACKAGE: 3,
    f"{PACKAGE}.protocols": 4,
    BINDINGS: 5,
    f"{PACKAGE}.__main__": 5,
}
# Which module of engines/ may import a runtime.
RUNTIMES = {
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "ai_edge_litert": "tflite",
    "torch": "torch",
}


class Import(NamedTuple):
    """One imported name.

    Attributes:
        target: the module, dotted; the name too where it is imported from a package of ours.
        at_load: whether it is imported when the module is, and not inside a function or for types.
        line: where.
    """

    target: str
    at_load: bool
    line: int


def imports_of(source: str) -> Iterator[Import]:
    """Every import in a module. A relative one has a target that starts with a dot."""

    def walk(node: ast.AST, at_load: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_load, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(f"{module}.{alias.name}", at_load, node.lineno)
        for child in ast.iter_child_nodes(node):
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            yield from walk(child, at_load and not inside and not types)

    yield from walk(ast.parse(source), True)


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def floor_of(module: str) -> int:
    for package in sorted(FLOORS, key=len, reverse=True):
        if package != PACKAGE and is_in(module, package):
            return FLOORS[package]
    return FLOORS[PACKAGE] if module == PACKAGE else STAGES


def our_target(target: str, sources: Mapping[str, str]) -> str | None:
    """The module of the app that an import reaches; None if it reaches none."""
    while target and target not in sources:
        target = target.rpartition(".")[0]
    return target or None


def faults(sources: Mapping[str, str], foreign: set[str]) -> list[str]:
    """What breaks the law, as sentences.

    Args:
        sources: module name -> source: the package and the functions.
        foreign: top-level names that deployed code may import when it is loaded.
    """
    found = []
    for module, source in sources.items():
        for target, at_load, line in imports_of(source):
            fault = fault_of(module, target, at_load, sources, foreign)
            if fault:
                found.append(f"{module}, line {line}: imports {target}: {fault}")
    return found


def fault_of(
    module: str, target: str, at_load: bool, sources: Mapping[str, str], foreign: set[str]
) -> str | None:
    if target.startswith(".") or is_in(target, "__app__"):
        return "write it absolute, or the worker loads the module twice"
    top = target.partition(".")[0]
    in_package, in_engines = is_in(module, PACKAGE), is_in(module, ENGINES)
    ours = our_target(target, sources)
    if ours is None:
        if in_package and is_in(target, "azure.functions") and not is_in(module, BINDINGS):
            return "only bindings/ knows azure.functions"
        if top == "azure" and not is_in(target, "azure.functions"):
            if module not in STORAGE:
                return f"only {' and '.join(STORAGE)} know Azure's storage"
            if at_load:
                return "it is imported when models are kept there, not before"
        if top in RUNTIMES and module != f"{ENGINES}.{RUNTIMES[top]}":
            return f"only engines/{RUNTIMES[top]}.py may"
        if at_load and not in_engines and top not in foreign:
            return "requirements.txt does not bring it to Azure"
        return None
    if not in_package:
        return None if is_in(ours, BINDINGS) else "a function imports from bindings/ only"
    if not is_in(ours, PACKAGE):
        return "the package does not know the functions"
    if ours not in ENGINE_TABLE and is_in(ours, ENGINES) and at_load and not in_engines:
        return "an engine is imported when a model needs it, not before"
    if floor_of(ours) > floor_of(module):
        return f"{ours} stands above it"
    return None


def deployed_sources() -> dict[str, str]:
    sources = {}
    for folder in [ROOT / PACKAGE, *function_folders()]:
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = file.read_text("utf-8")
    return sources


def foreign_names() -> set[str]:
    return deployed_names() | set(sys.stdlib_module_names)


def test_dependencies_point_one_way() -> None:
    sources = deployed_sources()

    endpoints = {"classify", "classify_queue", f"{BINDINGS}.http", f"{BINDINGS}.classify_queue"}
    assert {PACKAGE, f"{ENGINES}.tensorflow", *endpoints} <= set(sources)
    assert faults(sources, foreign_names()) == []


def test_modules_do_not_import_in_a_circle() -> None:
    sources = deployed_sources()
    waits_for = {
        module: {
            ours
            for target, at_load, _ in imports_of(source)
            if at_load and (ours := our_target(target, sources)) and ours != module
        }
        for module, source in sources.items()
    }
    while ready := {module for module, others in waits_for.items() if not others}:
        waits_for = {
            module: others - ready for module, others in waits_for.items() if module not in ready
        }

    assert not waits_for, "a circle, or what hangs on one"


def test_nothing_in_the_project_imports_relatively() -> None:
    faulty = []
    for folder in sorted(path for path in ROOT.iterdir() if path.is_dir()):
        if folder.name.startswith(".") or folder.name == "frontend":
            continue
        for file in folder.rglob("*.py"):
            targets = [each.target for each in imports_of(file.read_text("utf-8"))]
            if any(target.startswith(".") for target in targets):
                faulty.append(file.relative_to(ROOT).as_posix())

    assert not faulty


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (f"{PACKAGE}.images.decode", "import azure.functions as func"),
        (f"{PACKAGE}.protocols.tf_serving.service", "from azure import functions"),
        (f"{PACKAGE}.images.decode", "from image_classifier.classifier import Classifier"),
        (f"{PACKAGE}.images.decode", "from image_classifier import Classifier"),
        (f"{PACKAGE}.errors", "from image_classifier.settings import x; import image_classifier"),
        (f"{PACKAGE}.settings", "from image_classifier.images.decode import decode"),
        (f"{PACKAGE}.classifier", "from image_classifier.bindings import http"),
        (f"{PACKAGE}.classifier", "import tensorflow as tf"),
        (f"{PACKAGE}.models.model", "def load():\n    import tensorflow"),
        (f"{PACKAGE}.models.model", "from image_classifier.engines import tensorflow"),
        (f"{PACKAGE}.images.decode", "from .errors import InvalidRequest"),
        (f"{PACKAGE}.images.decode", "import azure.functions"),
        (f"{PACKAGE}.images.decode", "def f():\n    from azure.storage.blob import BlobClient"),
        (f"{PACKAGE}.stores.blob_container", "from azure.storage.blob import BlobClient"),
        ("classify", "import azure.identity"),
        (f"{PACKAGE}.images.decode", "import sklearn"),
        (f"{PACKAGE}.images.decode", "import classify"),
        ("classify", "from ..image_classifier import Classifier"),
        ("classify", "from __app__.image_classifier import Classifier"),
        ("classify", "from status import main"),
        ("classify", "from image_classifier.classifier import Classifier"),
    ],
)
def test_a_forbidden_import_is_found(module: str, line: str) -> None:
    assert faults({**deployed_sources(), module: line}, foreign_names())


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (f"{BINDINGS}.http", "import azure.functions as func"),
        (f"{BINDINGS}.http", "from image_classifier.classifier import Classifier"),
        (f"{ENGINES}.tensorflow", "import tensorflow as tf"),
        (f"{ENGINES}.onnx", "import onnxruntime"),
        (
            f"{PACKAGE}.models.model",
            "def load():\n    from image_classifier.engines import tensorflow",
        ),
        (
            f"{PACKAGE}.stores.blob_container",
            "def f():\n    from azure.storage.blob import BlobClient",
        ),
        (f"{PACKAGE}.__main__", "def show():\n    from tqdm import tqdm"),
        ("classify", "from image_classifier.bindings import http"),
    ],
)
def test_an_allowed_import_is_let_pass(module: str, line: str) -> None:
    assert faults({**deployed_sources(), module: line}, foreign_names()) == []
