"""Reads every ``*/function.json`` of the app into Function records, without importing code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_host.configuration.json_file import read_json_object
from local_host.errors import HostError

__all__ = ["Binding", "Function", "FunctionTable"]

NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE)
PRIMARY_FILES = ("index.js", "index.mjs", "index.cjs", "__init__.py")


@dataclass(frozen=True)
class Binding:
    """One entry of ``bindings``; ``settings`` is the complete entry."""

    name: str
    type: str
    direction: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_trigger(self) -> bool:
        """Whether this binding triggers the function."""
        return self.type.lower().endswith("trigger")


@dataclass(frozen=True)
class Function:
    """One function folder.

    Attributes:
        name: the folder's name.
        folder: the folder's path.
        script: the Python file with the entry point.
        entry_point: the name of the callable in the script.
        bindings: the bindings, in the order of function.json.
        disabled: whether a setting or function.json disables the trigger.
        config: the contents of function.json.
    """

    name: str
    folder: Path
    script: Path
    entry_point: str
    bindings: tuple[Binding, ...]
    disabled: bool
    config: Mapping[str, Any]

    @property
    def trigger(self) -> Binding:
        """The trigger's binding."""
        return next(binding for binding in self.bindings if binding.is_trigger)

    @property
    def is_http(self) -> bool:
        """Whether HTTP requests trigger the function."""
        return self.trigger.type.lower() == "httptrigger"

    @property
    def route(self) -> str:
        """The route template without the prefix; the function's name by default."""
        return str(self.trigger.settings.get("route") or self.name)

    @property
    def methods(self) -> tuple[str, ...]:
        """The accepted methods in upper case; empty means all."""
        return tuple(str(method).upper() for method in self.trigger.settings.get("methods") or ())


@dataclass(frozen=True)
class FunctionTable:
    """All functions in the host's order, and the errors of invalid function folders."""

    functions: tuple[Function, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, environ: Mapping[str, str]) -> FunctionTable:
        """Reads all function folders directly under ``root``."""
        functions: list[Function] = []
        errors: dict[str, str] = {}
        for folder in root.iterdir():
            if not (folder / "function.json").is_file():
                continue
            try:
                functions.append(_read_function(folder, environ))
            except HostError as exc:
                errors[folder.name] = str(exc)
        # Upper case, because .NET compares so when it ignores case: "_" sorts after "Z".
        functions.sort(key=lambda function: function.name.upper())
        return cls(tuple(functions), dict(sorted(errors.items())))

    def find(self, name: str) -> Function | None:
        """The function with this name, ignoring case."""
        key = name.lower()
        return next((one for one in self.functions if one.name.lower() == key), None)


def _read_function(folder: Path, environ: Mapping[str, str]) -> Function:
    name = folder.name
    if not NAME.fullmatch(name) or name.lower() == "host":
        raise HostError(
            f"'{name}' is not a valid function name. It must start with a letter, continue with "
            "letters, digits, _ and -, and have at most 128 characters."
        )
    config = read_json_object(folder / "function.json")
    return Function(
        name=name,
        folder=folder,
        script=_primary_script(folder, config.get("scriptFile")),
        entry_point=str(config.get("entryPoint") or "main"),
        bindings=_bindings(config.get("bindings")),
        disabled=_is_disabled(name, config.get("disabled"), environ),
        config=config,
    )


def _bindings(entries: Any) -> tuple[Binding, ...]:
    if not isinstance(entries, list) or not entries:
        raise HostError("At least one binding must be declared.")
    bindings: list[Binding] = []
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("type") or not entry.get("name"):
            raise HostError("Every binding must be an object with a type and a name.")
        direction = str(entry.get("direction") or "in").lower()
        if direction not in ("in", "out", "inout"):
            raise HostError(f"Binding {entry['name']}: direction must be in, out or inout.")
        bindings.append(Binding(str(entry["name"]), str(entry["type"]), direction, entry))
        if not isinstance(entry.get("methods") or [], list):
            raise HostError(f"Binding {entry['name']}: methods must be a list.")
    triggers = [binding.type for binding in bindings if binding.is_trigger]
    if len(triggers) != 1:
        raise HostError(
            "Exactly one binding must be a trigger; "
            + (f"these are: {', '.join(triggers)}." if triggers else "none is.")
        )
    return tuple(bindings)


def _primary_script(folder: Path, script_file: Any) -> Path:
    if script_file:
        script = folder / str(script_file)
        if not script.is_file():
            raise HostError(f"scriptFile names a file that does not exist: {script_file}.")
        return script.resolve()
    files = [
        file for file in folder.iterdir() if file.is_file() and file.name.lower() != "function.json"
    ]
    if len(files) == 1:
        return files[0].resolve()
    for file in files:
        if file.stem.lower() == "run" or file.name.lower() in PRIMARY_FILES:
            return file.resolve()
    raise HostError("There is no __init__.py, and scriptFile names no other file to run.")


def _is_disabled(name: str, legacy: Any, environ: Mapping[str, str]) -> bool:
    def is_on(text: str) -> bool:
        return text.strip().lower() in ("true", "1")

    setting = environ.get(f"AzureWebJobs.{name}.Disabled")
    if setting is not None:
        return is_on(setting)
    # function.json may contain the value itself or the name of a setting.
    return legacy if isinstance(legacy, bool) else is_on(environ.get(str(legacy), ""))
