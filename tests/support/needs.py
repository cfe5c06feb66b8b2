"""Finds what a test needs beyond this process: TensorFlow, a browser, processes of its own.

A need shows in the names that the code of a test uses, of its fixtures and of the helpers in
``tests/`` that these call. Where a need hides in code elsewhere (a tool that starts a process), the
test has the mark in its file; ``--quick`` traps those that lack it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["TENSORFLOW_PACKAGES", "needs_of"]

TESTS = Path(__file__).resolve().parents[1]
# TensorFlow and packages that cannot be imported without it, with the distributions' names.
TENSORFLOW_PACKAGES = ("tensorflow", "tensorflow_cpu", "keras", "tf2onnx")
NEED_OF_PACKAGE = {name: "tensorflow" for name in TENSORFLOW_PACKAGES} | {
    "azureml": "tensorflow",  # Azure ML's old client sends TensorFlow's messages
    "multiprocessing": "process",
    "playwright": "browser",
    "subprocess": "process",
    "tensorflow_serving.apis": "tensorflow",
}
# Not ours to read in full: what starts a process wherever a test names it.
STARTS_A_PROCESS = {"tools.azurite", "tools.bootstrap.azurite_emulator", "benchmarks.servers"}


def needs_of(functions: Iterator[Any] | list[Any]) -> set[str]:
    """The needs of a test: ``tensorflow``, ``browser``, ``process``.

    Args:
        functions: the test's own and its fixtures'.
    """
    return set().union(*(_needs(each) for each in functions))


@functools.cache
def _needs(function: Any) -> frozenset[str]:
    if hasattr(function, "hypothesis"):  # which wraps a test in its own way
        function = function.hypothesis.inner_test
    return frozenset().union(*map(_direct_needs, _reached(inspect.unwrap(function))))


def _reached(start: Any) -> list[FunctionType]:
    """All functions in ``tests/`` that it may call, itself among them."""
    waiting, seen = [start], {}
    while waiting:
        function = waiting.pop()
        if isinstance(function, FunctionType) and id(function) not in seen:
            seen[id(function)] = function
            waiting += _called(function)
    return list(seen.values())


@functools.cache
def _called(function: FunctionType) -> tuple[Any, ...]:
    """The functions in ``tests/`` that it names."""
    return tuple(each for used in _used(function) for each in _functions_of(used))


@functools.cache
def _direct_needs(function: FunctionType) -> frozenset[str]:
    needs = {_need_of(name) for name in _names(function.__code__)}
    for used in _used(function):
        module = used.__name__ if isinstance(used, ModuleType) else getattr(used, "__module__", "")
        if isinstance(module, str):
            needs.add(_need_of(module))
            if callable(used) and any(_is_in(module, each) for each in STARTS_A_PROCESS):
                needs.add("process")
    return frozenset(need for need in needs if need is not None)


def _need_of(module: str) -> str | None:
    found = (need for package, need in NEED_OF_PACKAGE.items() if _is_in(module, package))
    return next(found, None)


def _is_in(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


@functools.cache
def _used(function: FunctionType) -> tuple[Any, ...]:
    """The objects that the names in a function's code stand for, where that can be told."""
    names = _names(function.__code__)
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    found += [importlib.import_module(name) for name in names if name.startswith("tests.")]
    for module in [each for each in found if isinstance(each, ModuleType) and _is_ours(each)]:
        found += [getattr(module, name) for name in names if hasattr(module, name)]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            found.append(cell.cell_contents)
    return tuple(found)


def _names(code: CodeType) -> set[str]:
    """All names in a function's code, those of its inner functions and imports among them."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*(_names(each) for each in inner))


def _functions_of(used: Any) -> list[Any]:
    """A function, or all methods of a class, that stands in ``tests/``."""
    if isinstance(used, type):
        ours = [each for each in used.__mro__ if str(each.__module__).startswith("tests.")]
        members = [member for each in ours for member in vars(each).values()]
        return [function for member in members for function in _functions_in(member)]
    return _functions_in(used)


def _functions_in(member: Any) -> list[Any]:
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    try:
        member = inspect.unwrap(member)
    except ValueError:
        return []
    return [member] if isinstance(member, FunctionType) and _is_ours(member) else []


def _is_ours(used: FunctionType | ModuleType) -> bool:
    file = (
        used.__code__.co_filename
        if isinstance(used, FunctionType)
        else getattr(used, "__file__", None)
    )
    return file is not None and TESTS in Path(file).parents
