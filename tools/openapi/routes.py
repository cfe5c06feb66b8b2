"""What function.json files say: which function answers which path, with which methods."""

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
        pattern: matches the paths that it answers.
        methods: in lower case, but for OPTIONS, which is only for browsers' preflights.
    """

    function: str
    pattern: re.Pattern[str]
    methods: tuple[str, ...]


def read_triggers(root: Path = ROOT) -> dict[str, Trigger]:
    """All HTTP functions by name."""
    found = {}
    for file in sorted(root.glob("*/function.json")):
        for binding in json.loads(file.read_text("utf-8"))["bindings"]:
            if binding["type"] == "httpTrigger":
                methods = tuple(each for each in binding["methods"] if each != "options")
                name = file.parent.name
                found[name] = Trigger(name, _pattern(binding["route"]), methods)
    return found


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
