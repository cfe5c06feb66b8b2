"""Checks the inline constraints of ASP.NET route templates, such as ``{id:int}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

__all__ = ["Constraint", "make_constraint"]

Constraint: TypeAlias = Callable[[str], bool]

NUMBER = r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?"
GUID = r"[0-9a-f]{32}|([{(]?)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[)}]?"


def _matches(pattern: str) -> Constraint:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda value: compiled.fullmatch(value) is not None


def _integer(bits: int) -> Constraint:
    limit = 1 << (bits - 1)

    def check(value: str) -> bool:
        return bool(re.fullmatch(r"[+-]?[0-9]+", value)) and -limit <= int(value) < limit

    return check


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _between(low: int | None, high: int | None, measure: Callable[[str], int]) -> Constraint:
    def check(value: str) -> bool:
        try:
            size = measure(value)
        except ValueError:
            return False
        return (low is None or low <= size) and (high is None or size <= high)

    return check


PLAIN: dict[str, Constraint] = {
    "int": _integer(32),
    "long": _integer(64),
    "bool": _matches("true|false"),
    "decimal": _matches(NUMBER),
    "double": _matches(NUMBER),
    "float": _matches(NUMBER),
    "datetime": _is_date,
    "guid": _matches(GUID),
    "alpha": _matches("[a-z]*"),
    "required": bool,
}
WITH_NUMBERS: dict[str, Callable[..., Constraint]] = {
    "minlength": lambda low: _between(low, None, len),
    "maxlength": lambda high: _between(None, high, len),
    "length": lambda low, high=None: _between(low, low if high is None else high, len),
    "min": lambda low: _between(low, None, int),
    "max": lambda high: _between(None, high, int),
    "range": lambda low, high: _between(low, high, int),
}


def make_constraint(name: str, argument: str | None) -> Constraint:
    """Returns the check of a constraint.

    Raises:
        ValueError: the constraint is unknown, or its argument is invalid.
    """
    key = name.lower()
    if key in PLAIN and argument is None:
        return PLAIN[key]
    if key == "regex" and argument is not None:
        try:
            # .NET searches and ignores case here; templates use ^ and $ to match the whole value.
            compiled = re.compile(argument, re.IGNORECASE)
        except re.error as exc:
            raise ValueError(f"regex({argument}) is not a regular expression: {exc}") from exc
        return lambda value: compiled.search(value) is not None
    if key in WITH_NUMBERS and argument is not None:
        try:
            return WITH_NUMBERS[key](*(int(number) for number in argument.split(",")))
        except (TypeError, ValueError) as exc:
            raise ValueError(f"{name}({argument}) needs whole numbers") from exc
    known = ", ".join(sorted([*PLAIN, *(f"{name}(…)" for name in WITH_NUMBERS), "regex(…)"]))
    shown = name if argument is None else f"{name}({argument})"
    raise ValueError(f"the constraint {shown} is unknown; the constraints are: {known}")
