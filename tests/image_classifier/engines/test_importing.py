"""An engine that is installed and cannot be imported says so, with the cause, whoever asks.

Each test runs the app in a process of its own, with a package that fails in front of the real one,
or with a real protobuf 4.25 from PyPI in front of the one that TensorFlow wants.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from image_classifier.engines.registry import ENGINES, EngineKind
from image_classifier.errors import ModelError
from tests.support.builders import COLOURS, model_folder
from tests.support.servers import clean_environment
from tools.bootstrap.classic_worker import worker_packages
from tools.bootstrap.environments import EnvironmentSetupError

CHILD = Path(__file__).resolve().parents[2] / "support" / "unimportable_process.py"
TIMEOUT_SECONDS = 60
WEIGHTS = {name: kind.weights[0] for name, kind in ENGINES.items()}
MISSING_LIBRARY = (
    'OSError("libgomp.so.1: cannot open shared object file: No such file or directory")'
)
# As TensorFlow says it of a shared library: a traceback, the cause, and where to read on.
LONG = (
    'ImportError("Traceback (most recent call last):\\n  File \\"x.py\\", line 1, in <module>\\n'
    "    from x import *\\nImportError: libx.so: undefined symbol: y\\n\\n\\n"
    'Failed to load the native TensorFlow runtime.\\nSee https://example.com.")'
)


class Said(NamedTuple):
    """The answers, and what the process logged."""

    status: dict[str, Any]
    classified: list[dict[str, Any]]
    log: str


def failing(folder: Path, package: str, error: str, prelude: str = "") -> Path:
    """A package of that name whose import raises."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(f"{prelude}\nraise {error}\n")
    return folder


def ask(models: Path, engine: str, *arguments: str | Path) -> Said:
    settings = {"ENGINE": engine, "MODELS_DIR": str(models), "DEFAULT_MODEL": "colours"}
    done = subprocess.run(
        [sys.executable, str(CHILD), *map(str, arguments)],
        env=clean_environment({**settings, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    status, *classified = json.loads(done.stdout)
    return Said(status, classified, done.stderr)


def folder_with(models: Path, *weights: str) -> Path:
    """A model whose weights nobody gets to read, for the engine fails before."""
    folder = model_folder(models)
    for name in weights:
        (folder / name).write_bytes(b"weights")
    return models


def check_that_all_say(said: Said, engine: str, sentence: str) -> None:
    """503 with that sentence, every time, and in the list of engines at that one alone."""
    assert (said.status["status"], said.status["body"]["status"]) == (503, "unavailable")
    assert said.status["body"]["message"] == sentence
    for answer in said.classified:
        assert answer["status"] == 503
        assert answer["body"]["error"] == {"code": "ModelError", "message": sentence}
    described = {each.pop("name"): each for each in said.status["body"]["engines"]}
    assert described.pop(engine) == {"installed": True, "message": sentence}
    assert all("message" not in each for each in described.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_says_why_its_package_cannot_be_imported(engine: str, tmp_path: Path) -> None:
    package = ENGINES[engine].package
    traps = failing(tmp_path / "front", package, MISSING_LIBRARY)
    models = folder_with(tmp_path / "models", WEIGHTS[engine])

    check_that_all_say(
        ask(models, engine, traps),
        engine,
        f"The package {package} is installed but cannot be imported: OSError: libgomp.so.1: "
        "cannot open shared object file: No such file or directory.",
    )


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("ImportError(\"cannot import name 'x'.\")", "ImportError: cannot import name 'x'"),
        ("ModuleNotFoundError(\"No module named 'h5py'\")", "ModuleNotFoundError: No module named"),
        ("AttributeError(\"'NoneType' has no attribute 'y'\")", "AttributeError: 'NoneType' has"),
        ("TypeError('Descriptors cannot be created.\\n1. Downgrade')", "TypeError: Descriptors"),
        ("RuntimeError('compiled with API 0x10')", "RuntimeError: compiled with API 0x10."),
        ("KeyError()", "KeyError."),
        (LONG, "ImportError: libx.so: undefined symbol: y."),
    ],
)
def test_whatever_an_import_raises_is_told_in_one_line(
    error: str, cause: str, tmp_path: Path
) -> None:
    traps = failing(tmp_path / "front", "onnxruntime", error)
    said = ask(folder_with(tmp_path / "models", "model.onnx"), "onnx", traps)
    sentence = said.status["body"]["message"]

    assert sentence.startswith(
        f"The package onnxruntime is installed but cannot be imported: {cause}"
    )
    assert "\n" not in sentence
    assert "Downgrade" not in sentence, "only the first line"
    assert sentence.endswith(".") and not sentence.endswith("..")
    check_that_all_say(said, "onnx", sentence)


def test_failure_is_kept_and_the_package_is_not_imported_again(tmp_path: Path) -> None:
    """What is there by halves after a failure must not be tried again: it may even seem to work."""
    counter = tmp_path / "imports"
    prelude = f"open({str(counter)!r}, 'a').write('x')"
    traps = failing(tmp_path / "front", "tensorflow", "ImportError('once')", prelude)
    models = folder_with(tmp_path / "models", "model.pb")
    said = ask(models, "tensorflow", traps)

    assert [answer["status"] for answer in said.classified] == [503, 503]
    assert counter.read_text() == "x"


def test_auto_goes_on_to_the_next_engine_and_warns(tmp_path: Path, colours_pb: bytes) -> None:
    traps = failing(tmp_path / "front", "onnxruntime", MISSING_LIBRARY)
    folder = model_folder(tmp_path / "models", graph=colours_pb)
    (folder / "model.onnx").write_bytes(b"never read: its engines fail")
    failing(traps, "openvino", "ImportError('no plugin')")
    said = ask(tmp_path / "models", "auto", traps)

    assert said.status["status"] == 200
    for answer in said.classified:
        assert answer["engine"].startswith("tensorflow")
        assert answer["body"]["predictedTagName"] == COLOURS[2]
    described = {each["name"]: each for each in said.status["body"]["engines"]}
    assert "libgomp" in described["onnx"]["message"]
    assert "no plugin" in described["openvino"]["message"]
    assert "message" not in described["tensorflow"]
    (model,) = said.status["body"]["models"]
    assert (model["versions"][0]["engine"], model["versions"][0]["state"]) == (
        "tensorflow",
        "loaded",
    )
    assert said.log.count("The package onnxruntime is installed but cannot be imported") == 1
    assert said.log.count("The package openvino is installed but cannot be imported") == 1


def test_auto_says_the_first_cause_where_no_engine_can_be_imported(tmp_path: Path) -> None:
    traps = failing(tmp_path / "front", "onnxruntime", "ImportError('first')")
    failing(traps, "openvino", "ImportError('second')")
    said = ask(folder_with(tmp_path / "models", "model.onnx"), "auto", traps)

    assert said.status["body"]["message"].endswith(": ImportError: first.")
    assert [answer["status"] for answer in said.classified] == [503, 503]


def an_engine(monkeypatch: pytest.MonkeyPatch, folder: Path, package: str, code: str) -> EngineKind:
    """A row of the table whose module is this code."""
    (folder / f"engine_of_{package}.py").write_text(
        f"from image_classifier.engines.importing import importing\n{code}\n"
    )
    monkeypatch.syspath_prepend(folder)
    return EngineKind(package, ("model.x",), package, f"engine_of_{package}")


def test_fault_of_our_own_module_is_not_laid_to_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bug must be seen as one: it is not kept, and not told to callers as the package's."""
    code = "with importing('colorsys'):\n    import colorsys\ncolorsys.no_such_function()"
    kind = an_engine(monkeypatch, tmp_path, "colorsys", code)

    for _ in range(2):
        with pytest.raises(AttributeError, match="no_such_function"):
            kind.import_module()
        assert kind.failure is None


def test_second_import_gets_the_first_ones_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Although by then the package could be imported."""
    traps = failing(tmp_path / "front", "failing_once", "ImportError('by halves')")
    monkeypatch.syspath_prepend(traps)
    code = "with importing('failing_once'):\n    import failing_once"
    kind = an_engine(monkeypatch, tmp_path, "failing_once", code)
    sentence = (
        "The package failing_once is installed but cannot be imported: ImportError: by halves."
    )

    with pytest.raises(ModelError) as first:
        kind.import_module()
    (traps / "failing_once" / "__init__.py").write_text("")
    with pytest.raises(ModelError) as second:
        kind.import_module()
    assert (first.value.message, second.value.message, kind.failure) == (sentence,) * 3


@pytest.fixture(scope="module")
def old_protobuf() -> Path:
    """The folder of a real protobuf 4.25, as the classic worker of Azure Functions has it."""
    try:
        return worker_packages()
    except EnvironmentSetupError as failure:
        pytest.skip(f"protobuf 4.25 cannot be installed: {failure}")


def test_older_protobuf_in_front_is_named_with_the_setting(
    tmp_path: Path, old_protobuf: Path
) -> None:
    models = folder_with(tmp_path / "models", "model.pb")
    said = ask(models, "tensorflow", old_protobuf, "+google.protobuf.duration_pb2")
    sentence = said.status["body"]["message"]

    check_that_all_say(said, "tensorflow", sentence)
    assert sentence.startswith(
        "The package tensorflow is installed but cannot be imported (ImportError: cannot import "
        "name 'runtime_version' from 'google.protobuf'"
    )
    assert f"because protobuf 4.25.9 in {old_protobuf} was imported in place of the app's own " in (
        sentence
    )
    assert sentence.endswith(
        ": on Azure Functions, set PYTHON_ISOLATE_WORKER_DEPENDENCIES=1 or use Python 3.13, since "
        "the worker of Python 3.12 and older imports its own protobuf before the app."
    )


def test_older_protobuf_is_not_blamed_for_what_it_has_not_done(
    tmp_path: Path, old_protobuf: Path
) -> None:
    traps = failing(tmp_path / "front", "onnxruntime", MISSING_LIBRARY)
    models = folder_with(tmp_path / "models", "model.onnx")
    said = ask(models, "onnx", traps, old_protobuf, "+google.protobuf.duration_pb2")

    assert "libgomp" in said.status["body"]["message"]
    assert "protobuf" not in said.status["body"]["message"]


def test_newest_protobuf_is_not_called_an_older_one(tmp_path: Path) -> None:
    """Its own error, but nothing newer lies behind it: the setting would not help."""
    error = "ImportError(\"cannot import name 'x' from 'google.protobuf'\")"
    traps = failing(tmp_path / "front", "tensorflow", error, "import google.protobuf")
    said = ask(folder_with(tmp_path / "models", "model.pb"), "tensorflow", traps)

    assert said.status["body"]["message"] == (
        "The package tensorflow is installed but cannot be imported: ImportError: cannot import "
        "name 'x' from 'google.protobuf'."
    )
