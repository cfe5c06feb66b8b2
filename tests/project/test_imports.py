"""The law of imports: packages form a ladder, and heavy things are imported late."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tests.support.app_tree import ROOT, deployed_names, function_folders

PACKAGE = "image_classifier"
BINDINGS = f"{PACKAGE}.bindings"
ENGINES = f"{PACKAGE}.engines"
# The interface and the table; the other modules there are imported when a model needs them.
ENGINE_TABLE = (f"{ENGINES}.base", f"{ENGINES}.registry")
TRAINING = f"{PACKAGE}.training"

# The modules that know Azure's storage.
STORAGE = (f"{PACKAGE}.stores.blob_container", f"{PACKAGE}.stores.storage_errors")

# The ladder, from the ground up: a package imports from the floors below it. On the ground floor
# the modules may import each other.
FLOORS = {
    f"{PACKAGE}.errors": 0,
    f"{PACKAGE}.results": 0,
    f"{PACKAGE}.setting_parsers": 0,
    f"{PACKAGE}.storage_settings": 0,
    f"{PACKAGE}.settings": 0,
    f"{PACKAGE}.authentication": 1,
    f"{PACKAGE}.concurrency": 1,
    f"{PACKAGE}.model_files": 1,
    f"{PACKAGE}.observability": 1,
    f"{PACKAGE}.detection": 2,  # to come: decodes the outputs of object detectors
    ENGINES: 2,
    f"{PACKAGE}.fetching": 2,
    f"{PACKAGE}.images": 2,
    f"{PACKAGE}.pipeline": 3,
    f"{PACKAGE}.stores": 3,
    f"{PACKAGE}.models": 4,
    f"{PACKAGE}.projects": 4,  # to come: tags, images and iterations in a database
    f"{PACKAGE}.classifier": 5,
    PACKAGE: 6,
    f"{PACKAGE}.protocols": 7,  # open_inference/ is to come there
    TRAINING: 7,  # to come: no package that serves a request imports it
    BINDINGS: 8,
    f"{PACKAGE}.__main__": 8,
}
GROUND = 0
# The module of engines/ that may import each runtime.
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


@cache
def imports_of(source: str) -> tuple[Import, ...]:
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

    return tuple(walk(ast.parse(source), True))


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def package_of(module: str) -> str:
    """The package on the ladder that a module belongs to: the package's own name, or one below."""
    return ".".join(module.split(".")[:2])


def our_target(target: str, sources: Mapping[str, str]) -> str | None:
    """The module of the app that an import reaches; None if it reaches none."""
    while target and target not in sources:
        target = target.rpartition(".")[0]
    return target or None


def faults(sources: Mapping[str, str], foreign: Set[str]) -> list[str]:
    """The imports that break the law, as sentences.

    Args:
        sources: module name -> source: the package and the functions.
        foreign: top-level names that deployed code may import when it is loaded.
    """
    sentences = []
    for module, source in sources.items():
        if is_in(module, PACKAGE) and package_of(module) not in FLOORS:
            sentences.append(f"{module}: {package_of(module)} is on no floor: name it in FLOORS")
            continue
        for target, at_load, line in imports_of(source):
            fault = fault_of(module, target, at_load, sources, foreign)
            if fault:
                sentences.append(f"{module}, line {line}: imports {target}: {fault}")
    return sentences


def fault_of(
    module: str, target: str, at_load: bool, sources: Mapping[str, str], foreign: Set[str]
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
    if is_in(ours, ENGINES) and ours not in ENGINE_TABLE and at_load and not in_engines:
        return "an engine is imported when a model needs it, not before"
    if is_in(ours, TRAINING) and not is_in(module, TRAINING):
        return "a request is served without training/"
    own, other = package_of(module), package_of(ours)
    if own != other and FLOORS.get(other, GROUND) >= max(FLOORS[own], GROUND + 1):
        return f"{other} stands beside it or above it"
    return None


def circles(sources: Mapping[str, str]) -> set[frozenset[str]]:
    """The groups of modules that import each other, for types or late too."""
    waits_for = {module: imported_modules(module, sources) for module in sources}
    while ready := {module for module, others in waits_for.items() if not others}:
        waits_for = {
            module: others - ready for module, others in waits_for.items() if module not in ready
        }
    reaches = {module: reached_from(module, waits_for) for module in waits_for}
    return {
        frozenset({other for other in reached if module in reaches[other]})
        for module, reached in reaches.items()
        if module in reached
    }


def imported_modules(module: str, sources: Mapping[str, str]) -> set[str]:
    targets = (our_target(each.target, sources) for each in imports_of(sources[module]))
    return {target for target in targets if target and target != module}


def reached_from(module: str, waits_for: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [*waits_for[module]]
    while waiting:
        if (other := waiting.pop()) not in reached:
            reached.add(other)
            waiting += waits_for[other]
    return reached


@cache
def deployed_sources() -> Mapping[str, str]:
    sources = {}
    for folder in [ROOT / PACKAGE, *function_folders()]:
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = file.read_text("utf-8")
    return MappingProxyType(sources)


@cache
def foreign_names() -> frozenset[str]:
    return sys.stdlib_module_names | deployed_names()


def python_files() -> list[Path]:
    """The project's own Python files: Git's list, or all but hidden folders and node_modules."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return files_below(ROOT)
    return [path for line in done.stdout.splitlines() if (path := ROOT / line).is_file()]


def files_below(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.py"))
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        if not below.name.startswith(".") and below.name != "node_modules":
            files += files_below(below)
    return files


def test_dependencies_point_one_way() -> None:
    sources = deployed_sources()

    endpoints = {"classify", "classify_queue", f"{BINDINGS}.http", f"{BINDINGS}.classify_queue"}
    assert {PACKAGE, f"{ENGINES}.tensorflow", *endpoints} <= set(sources)
    assert faults(sources, foreign_names()) == []


def test_modules_do_not_import_in_a_circle() -> None:
    assert circles(deployed_sources()) == set()


def test_packages_do_not_import_in_a_circle() -> None:
    packages: dict[str, str] = {}
    sources = deployed_sources()
    for module in sources:
        lines = (f"import {target}\n" for target in sorted(imported_modules(module, sources)))
        packages[package_of(module)] = packages.get(package_of(module), "") + "".join(lines)

    assert circles(packages) == set()


def test_nothing_in_the_project_imports_relatively() -> None:
    files = python_files()
    faulty = [
        file.relative_to(ROOT).as_posix()
        for file in files
        if imports_relatively(file.read_text("utf-8"))
    ]

    assert Path(__file__) in files and len(files) > 500
    assert not faulty


def imports_relatively(source: str) -> bool:
    if not re.search(r"from\s*\.", source):  # a hundred times faster than to parse it
        return False
    return any(each.target.startswith(".") for each in imports_of(source))


def test_a_relative_import_is_found() -> None:
    assert imports_relatively("import os\n\ndef f():\n    from  ..a import b")
    assert not imports_relatively('"""Counted from ..."""\nfrom a.b import c')


def test_the_projects_files_are_found_without_git_too() -> None:
    listed, walked = set(python_files()), set(files_below(ROOT))

    assert {file for file in listed if not set(file.parts) & {"node_modules"}} <= walked


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
        (f"{PACKAGE}.models.model", "from image_classifier.engines.importing import importing"),
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
        # Up the ladder, and along a floor: late and for types, too.
        (f"{PACKAGE}.model_files.labels", "from image_classifier.images.decode import decode"),
        (f"{PACKAGE}.engines.onnx", "from image_classifier.images.decode import decode"),
        (f"{PACKAGE}.stores.base", "def f():\n    from image_classifier.models import model"),
        (
            f"{PACKAGE}.stores.base",
            "if TYPE_CHECKING:\n    from image_classifier.models.model import Model",
        ),
        (f"{PACKAGE}.concurrency.allocator", "import image_classifier.observability.telemetry"),
        (f"{PACKAGE}.pipeline", "from image_classifier.stores.factory import open_store"),
        (f"{PACKAGE}.protocols.multipart", "from image_classifier.bindings import http"),
        # A package without a floor.
        (f"{PACKAGE}.helpers.text", "import re"),
        # Training: not where requests are served.
        (f"{PACKAGE}.bindings.classify", "def f():\n    import image_classifier.training.head"),
        (f"{PACKAGE}.protocols.custom_vision.service", "import image_classifier.training.head"),
    ],
)
def test_a_forbidden_import_is_found(module: str, line: str) -> None:
    training = {f"{TRAINING}.head": ""}

    assert faults({**deployed_sources(), **training, module: line}, foreign_names())


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
        (f"{PACKAGE}.models.model", "from image_classifier.engines.base import Engine"),
        (f"{PACKAGE}.stores.base", "from image_classifier.engines.registry import ENGINES"),
        (
            f"{PACKAGE}.stores.blob_container",
            "def f():\n    from azure.storage.blob import BlobClient",
        ),
        (f"{PACKAGE}.settings", "from image_classifier.storage_settings import OwnBlobs"),
        (f"{PACKAGE}.detection.boxes", "from image_classifier.model_files import labels"),
        (f"{PACKAGE}.projects.images", "from image_classifier.stores.factory import open_store"),
        (f"{PACKAGE}.protocols.open_inference.rest", "from image_classifier import Classifier"),
        (f"{TRAINING}.head", "from image_classifier.projects import images"),
        (f"{TRAINING}.version", "from image_classifier.training.head import fit"),
        (f"{PACKAGE}.__main__", "def show():\n    from tqdm import tqdm"),
        ("classify", "from image_classifier.bindings import http"),
    ],
)
def test_an_allowed_import_is_let_pass(module: str, line: str) -> None:
    to_come = {f"{PACKAGE}.projects.images": "", f"{TRAINING}.head": ""}

    assert faults({**deployed_sources(), **to_come, module: line}, foreign_names()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from image_classifier.stores.blob_store import BlobStore",
        "def f():\n    from image_classifier.stores.blob_store import BlobStore",
        "if TYPE_CHECKING:\n    from image_classifier.stores.blob_store import BlobStore",
    ],
    ids=["when it is loaded", "late", "for types"],
)
def test_a_circle_is_found(line: str) -> None:
    sources = deployed_sources()
    module, other = f"{PACKAGE}.stores.blob_location", f"{PACKAGE}.stores.blob_store"

    (circle,) = circles({**sources, module: f"{sources[module]}\n{line}"})

    assert {module, other} <= circle


def test_two_circles_are_told_apart() -> None:
    sources = {"a": "import b", "b": "import a", "c": "import d", "d": "import c\nimport a"}

    assert circles(sources) == {frozenset("ab"), frozenset("cd")}
