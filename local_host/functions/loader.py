"""Loads functions as Python callables, by the rules of Microsoft's Python worker.

A function folder is imported as ``__app__.<folder>`` and the app's root is last on ``sys.path``,
so imports that would break or duplicate a module in Azure do so here, too. The checks of bindings
against the signature use the worker's messages, because developers search for them.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_host.functions.converters import accepts, is_generic
from local_host.functions.function_table import Binding, Function

__all__ = ["LoadError", "LoadedFunction", "load_function", "prepare_imports"]

NAMESPACE = "__app__"
RETURN = "$return"


class LoadError(Exception):
    """A function cannot be loaded; its calls fail, other functions run."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot load the {name} function: {reason}")


@dataclass(frozen=True)
class LoadedFunction:
    """A callable function.

    Attributes:
        function: its record.
        call: the entry point.
        is_async: whether it runs on the event loop rather than in a thread.
        wants_context: whether it has a ``context`` parameter.
        inputs: the ``in`` bindings, passed by name; the trigger is one of them.
        outputs: the ``out`` bindings, passed as ``func.Out`` objects.
        return_type: type of the binding that converts the returned value; None: no value.
    """

    function: Function
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    return_type: str | None


def prepare_imports(root: Path, host_root: Path) -> None:
    """Puts the app's root last on ``sys.path`` and creates the ``__app__`` namespace.

    Removes ``host_root``, the folder of this package: an app that imports it by accident would
    work here but not in Azure.
    """
    dropped = {root.resolve()}
    if host_root.name not in ("site-packages", "dist-packages"):
        dropped.add(host_root.resolve())
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() not in dropped]
    sys.path.append(str(root))
    spec = importlib.machinery.ModuleSpec(NAMESPACE, None, is_package=True)
    spec.submodule_search_locations = [str(root)]
    sys.modules[NAMESPACE] = importlib.util.module_from_spec(spec)


def load_function(function: Function) -> LoadedFunction:
    """Imports the function and checks it against its bindings.

    Raises:
        LoadError: a check failed.
        Exception: any error that the module raises on import.
    """
    call = _entry_point(function)
    return _check_bindings(function, call)


def _entry_point(function: Function) -> Callable[..., Any]:
    try:
        relative = function.script.relative_to(function.folder.resolve().parent)
    except ValueError:
        raise LoadError(
            function.name, f"script path {function.script} is not in the app's root"
        ) from None
    if relative.suffix != ".py":
        raise LoadError(function.name, f"invalid Python filename {relative.name}")
    parts = [NAMESPACE, *relative.parts[:-1]]
    if relative.stem.lower() != "__init__":
        parts.append(relative.stem)
    module = importlib.import_module(".".join(parts))
    call = getattr(module, function.entry_point, None)
    if not callable(call):
        raise LoadError(
            function.name, f"function {function.entry_point}() is not present in {relative}"
        )
    return typing.cast("Callable[..., Any]", call)


def _check_bindings(function: Function, call: Callable[..., Any]) -> LoadedFunction:
    name = function.name
    parameters = set(inspect.signature(call).parameters)
    annotations = typing.get_type_hints(call)
    bound: dict[str, Binding] = {}
    explicit = implicit = None
    for binding in function.bindings:
        if binding.direction == "inout":
            raise LoadError(name, '"inout" bindings are not supported')
        if binding.name != RETURN:
            bound[binding.name] = binding
            if is_generic(binding.type):
                implicit = binding.type
        elif binding.direction != "out":
            raise LoadError(name, '"$return" binding must have direction set to "out"')
        else:
            explicit = binding.type

    wants_context = "context" in parameters and "context" not in bound
    if wants_context:
        parameters.discard("context")
        annotation = annotations.get("context")
        if annotation is not None and getattr(annotation, "__name__", "") != "Context":
            raise LoadError(
                name,
                'the "context" parameter is expected to be of type azure.functions.Context, '
                f'got "{annotation!r}"',
            )
    for extra, source, other in (
        (parameters - set(bound), "Python", "function.json"),
        (set(bound) - parameters, "function.json", "Python"),
    ):
        if extra:
            raise LoadError(
                name,
                f"the following parameters are declared in {source} but not in {other}: {extra!r}",
            )
    for binding in bound.values():
        if binding.name in annotations:
            _check_parameter(name, binding, annotations[binding.name])
    if explicit is not None and "return" in annotations:
        _check_return(name, explicit, annotations["return"])
    return LoadedFunction(
        function=function,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        wants_context=wants_context,
        inputs=tuple(one for one in bound.values() if one.direction == "in"),
        outputs=tuple(one for one in bound.values() if one.direction == "out"),
        return_type=explicit or implicit,
    )


def _is_out(annotation: Any) -> bool:
    return getattr(typing.get_origin(annotation) or annotation, "__name__", "") == "Out"


def _is_type(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(annotation, type) or origin not in (None, typing.Union, types.UnionType)


def _check_parameter(name: str, binding: Binding, annotation: Any) -> None:
    is_out = _is_out(annotation)
    if binding.direction == "out" and not is_out:
        raise LoadError(
            name,
            f'binding {binding.name} is declared to have the "out" direction, but its '
            "annotation in Python is not a subclass of azure.functions.Out",
        )
    if binding.direction == "in" and is_out:
        raise LoadError(
            name,
            f'binding {binding.name} is declared to have the "in" direction in function.json, '
            "but its annotation is azure.functions.Out in Python",
        )
    value_type = annotation
    if is_out:
        arguments = typing.get_args(annotation)
        if len(arguments) != 1:
            raise LoadError(
                name, f"binding {binding.name} has invalid Out annotation {annotation!r}"
            )
        value_type = arguments[0]
    if not _is_type(value_type):
        raise LoadError(
            name, f"binding {binding.name} has invalid non-type annotation {annotation!r}"
        )
    if value_type in (str, bytes):
        return
    if not accepts(binding.type, value_type, out=is_out):
        raise LoadError(
            name,
            f'type of {binding.name} binding in function.json "{binding.type}" does not match '
            f'its Python annotation "{getattr(value_type, "__name__", value_type)}"',
        )


def _check_return(name: str, binding_type: str, annotation: Any) -> None:
    if _is_out(annotation):
        raise LoadError(name, "return annotation should not be azure.functions.Out")
    if not isinstance(annotation, type):
        raise LoadError(name, f"has invalid non-type return annotation {annotation!r}")
    if not accepts(binding_type, annotation, out=True):
        raise LoadError(
            name,
            f'Python return annotation "{annotation.__name__}" does not match binding type '
            f'"{binding_type}"',
        )
