"""Imports an engine's runtime, and gives the cause of a failure in one sentence.

A runtime can be installed and yet fail: a shared library is missing, or a package that came first
is too old for it. A half imported package cannot be imported again in the same process, so the
first failure is kept, and every later request gets the same sentence.
"""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from image_classifier.errors import ModelError

__all__ = ["import_failure", "importing"]

_failures: dict[str, str] = {}


def import_failure(package: str) -> str | None:
    """Why an import of this package failed earlier in this process, or None."""
    return _failures.get(package)


@contextlib.contextmanager
def importing(package: str) -> Iterator[None]:
    """Wraps the lines that import a runtime, and no import of ours.

    Args:
        package: the package that the engine needs, as ``EngineKind.package`` names it.

    Raises:
        ModelError: it cannot be imported, now or earlier; the message has the cause.
    """
    if package in _failures:
        raise ModelError(_failures[package])
    try:
        yield
    except Exception as exc:  # an import runs any code: OSError, TypeError and others occur
        _failures[package] = _sentence(package, exc)
        raise ModelError(_failures[package]) from exc


def _sentence(package: str, exc: Exception) -> str:
    cannot = f"The package {package} is installed but cannot be imported"
    older = _older_protobuf() if _concerns_protobuf(exc) else None
    if older is None:
        return f"{cannot}: {_cause(exc)}."
    version, folder, newer = older
    return (
        f"{cannot} ({_cause(exc)}), because protobuf {version} in {folder} was imported in place "
        f"of the app's own {newer}: on Azure Functions, set PYTHON_ISOLATE_WORKER_DEPENDENCIES=1 "
        "or use Python 3.13, since the worker of Python 3.12 and older imports its own protobuf "
        "before the app."
    )


def _cause(exc: Exception) -> str:
    """The error's name and first line, without the pages that some runtimes add."""
    lines = [line for line in str(exc).splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        # TensorFlow's error for a missing library begins with a whole traceback, and the last line
        # of that has the cause.
        lines = [line for line in lines[1:] if not line[0].isspace()]
        return lines[0].strip().rstrip(".") if lines else type(exc).__name__
    return ": ".join([type(exc).__name__, *lines[:1]]).strip().rstrip(".")


def _concerns_protobuf(exc: BaseException | None) -> bool:
    """Whether it was raised by protobuf, or by a module that protobuf's compiler has written."""
    while exc:
        files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(exc.__traceback__)]
        if "google.protobuf" in str(exc) or any(map(_is_of_protobuf, files)):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _is_of_protobuf(file: str) -> bool:
    return file.endswith("_pb2.py") or Path(file).parts[-3:-1] == ("google", "protobuf")


def _older_protobuf() -> tuple[str, Path, str] | None:
    """The protobuf of this process, if one that is installed is newer.

    Returns:
        Its version, the folder that it was imported from, and the newer version; None if it is the
        newest, or if there is none.
    """
    module = sys.modules.get("google.protobuf")
    version, file = getattr(module, "__version__", None), getattr(module, "__file__", None)
    installed = [distribution.version for distribution in distributions(name="protobuf")]
    newest = max(filter(None, installed), key=_numbers, default=None)
    if not version or not file or not newest or _numbers(version) >= _numbers(newest):
        return None
    return version, Path(file).parents[2], newest


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)]
