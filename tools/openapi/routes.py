"""Reads the paths and methods of each function from the function.json files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Trigger", "read_triggers"]

ROOT = Path(__file__).resolve().parents[2]

_WILDCARD = r"\{\*\w+\}"
_CONSTRAINED = r"\{\w+:regex\(\^\((?P<words>[\w|]+)\)\$\)\}"


class Trigger(NamedTuple):
    """One HTTP function.

    Attributes:
        function: its name.
        pattern: matches the paths of the function.
        methods: in lower case, without OPTIONS, which serves the preflights of browsers.
    """

    function: str
    pattern: re.Pattern[str]
    methods: tuple[str, ...]


def read_triggers(root: Path = ROOT) -> dict[str, Trigger]:
    """Reads all HTTP functions, by name."""
    triggers = {}
    for file in sorted(root.glob("*/function.json")):
        for binding in json.loads(file.read_text("utf-8"))["bindings"]:
            if binding["type"] == "httpTrigger":
                methods = tuple(each for each in binding["methods"] if each != "options")
                name = file.parent.name
                triggers[name] = Trigger(name, _pattern(binding["route"]), methods)
    return triggers


def _pattern(route: str) -> re.Pattern[str]:
    parts = []
    for part in route.split("/"):
        if re.fullmatch(_WILDCARD, part):
            parts.append(".*")
        elif constrained := re.fullmatch(_CONSTRAINED, part):
            parts.append(f"({constrained['words']})")
        elif "{" in part:
            raise ValueError(f"{route}: tools/openapi/routes.py does not know {part}")
        else:
            parts.append(re.escape(part))
    return re.compile("/" + "/".join(parts))
