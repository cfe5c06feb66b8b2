"""Finds the function for a request by ASP.NET route templates, in the real host's order.

The first function by name whose template, constraints and methods all match wins; literals have
no precedence over parameters. A wrong method is no match, so it ends as 404 and not as 405.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from local_host.functions.function_table import Function
from local_host.web.route_constraints import Constraint, make_constraint

__all__ = ["RouteTable", "RouteTemplate", "decode_path"]

PARAMETER = re.compile(
    r"(?P<star>\*{0,2})(?P<name>[^:=?*]+)(?P<constraints>:.*?)?(?:=(?P<default>.*))?", re.DOTALL
)
# A constraint's argument may hold parentheses: it ends where another constraint or nothing follows.
CONSTRAINT = re.compile(r":(?P<name>\w+)(?:\((?P<argument>.*?)\)(?=:|\Z))?", re.DOTALL)


def decode_path(raw_path: str) -> str:
    """Percent-decodes a path as the real host's web server does: an escaped slash stays escaped."""
    if "%" not in raw_path:
        return raw_path
    return unquote(re.sub("%2f", "%252F", raw_path, flags=re.IGNORECASE))


@dataclass(frozen=True)
class Parameter:
    """One ``{…}`` of a template."""

    name: str
    catch_all: bool
    optional: bool
    default: str | None
    constraints: tuple[Constraint, ...]

    @property
    def may_be_absent(self) -> bool:
        """Whether a path matches without a value for this parameter."""
        return self.catch_all or self.optional or self.default is not None


class RouteTemplate:
    """A compiled template such as ``v1/{id:int}/{*path}``.

    Raises:
        ValueError: the template is invalid; the message gives the reason.
    """

    def __init__(self, template: str) -> None:
        self.template = template.strip("/")
        self._parameters: list[Parameter] = []
        self._pattern = re.compile(self._compile(), re.IGNORECASE | re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """Returns the route values if the decoded path matches, else None."""
        match = self._pattern.fullmatch(path)
        if match is None:
            return None
        values: dict[str, str] = {}
        for index, parameter in enumerate(self._parameters):
            value = match[f"p{index}"] or parameter.default
            if not value:
                continue
            if not all(constraint(value) for constraint in parameter.constraints):
                return None
            values[parameter.name] = value
        return values

    def _compile(self) -> str:
        segments = [self._segment(parts) for parts in _segments(self.template)]
        if any(parameter.catch_all for parameter in self._parameters[:-1]) or (
            self._parameters and self._parameters[-1].catch_all and not segments[-1][1]
        ):
            raise ValueError("a catch-all parameter must be the whole last segment")
        pattern, absent = "", True
        for text, may_be_absent in reversed(segments):
            # Only a last segment can be left out; "a/{x?}/b" requires all three.
            absent = absent and may_be_absent
            pattern = (f"(?:{text})?" if absent else text) + pattern
        return pattern + "/?"

    def _segment(self, parts: Sequence[tuple[bool, str]]) -> tuple[str, bool]:
        """Returns the pattern of one segment, and whether the segment may be left out."""
        texts = [self._parameter(text) if is_one else re.escape(text) for is_one, text in parts]
        last = self._parameters[-1] if parts[-1][0] else None
        if last is None or not last.may_be_absent:
            return "/" + "".join(texts), False
        if len(parts) == 1:
            return "/" + texts[0], True
        if not last.optional or parts[-2] != (False, "."):
            raise ValueError("only a dot may come before an optional parameter")
        # "{name}.{ext?}": the last dot separates the two, so the extension contains none.
        stem, extension = texts[:-2], texts[-1].replace("[^/]+", "[^/.]+")
        stem[-1] = stem[-1].replace("[^/]+", "[^/]+?")
        return f"/{''.join(stem)}(?:\\.{extension})?", False

    def _parameter(self, text: str) -> str:
        optional = text.endswith("?")
        match = PARAMETER.fullmatch(text.removesuffix("?"))
        if match is None:
            raise ValueError(f"{{{text}}} is not a parameter")
        name = match["name"].strip()
        if any(name.lower() == known.name.lower() for known in self._parameters):
            raise ValueError(f"the parameter {name} occurs twice")
        inline = match["constraints"] or ""
        matches = list(CONSTRAINT.finditer(inline))
        if "".join(one[0] for one in matches) != inline:
            raise ValueError(f"the constraints {inline!r} are invalid")
        constraints = tuple(make_constraint(one["name"], one["argument"]) for one in matches)
        catch_all = bool(match["star"])
        self._parameters.append(Parameter(name, catch_all, optional, match["default"], constraints))
        return f"(?P<p{len(self._parameters) - 1}>{'.*' if catch_all else '[^/]+'})"


class RouteTable:
    """The routes of all enabled HTTP functions, in the host's order.

    Attributes:
        errors: function -> the error of its route, for functions with an invalid route.
    """

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        self.errors: dict[str, str] = {}
        self._routes: list[tuple[RouteTemplate, frozenset[str], Function]] = []
        for function in functions:
            if not function.is_http or function.disabled:
                continue
            try:
                template = RouteTemplate(f"{prefix}/{function.route.strip('/')}")
            except ValueError as exc:
                self.errors[function.name] = f"The route '{function.route}' is not valid: {exc}."
            else:
                self._routes.append((template, frozenset(function.methods), function))

    def match(self, method: str, path: str) -> tuple[Function, dict[str, str]] | None:
        """Returns the matching function with its route values; None means 404."""
        for template, methods, function in self._routes:
            if methods and method not in methods:
                continue
            values = template.match(path)
            if values is not None:
                return function, values
        return None


def _segments(template: str) -> Iterator[list[tuple[bool, str]]]:
    """Splits at slashes outside braces; each part is (is a parameter, its text)."""
    segment: list[tuple[bool, str]] = []
    text, inside = "", False
    # Doubled braces are literal braces, also inside a regex constraint.
    for token in re.findall(r"\{\{|\}\}|.", template, re.DOTALL):
        if token in ("{", "}"):
            if inside == (token == "{"):
                raise ValueError("its braces do not pair up")
            if inside and not text:
                raise ValueError("{} has no name")
            if text:
                segment.append((inside, text))
            text, inside = "", not inside
        elif token == "/" and not inside:
            if text:
                segment.append((False, text))
            if not segment:
                raise ValueError("it has an empty segment")
            yield segment
            segment, text = [], ""
        else:
            text += token[0]
    if inside:
        raise ValueError("its braces do not pair up")
    if text:
        segment.append((False, text))
    if segment:
        yield segment
