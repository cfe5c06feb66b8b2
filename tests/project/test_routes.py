"""No route shadows another in the order in which the Functions host tries them.

The host sorts the functions by name, whatever their case, and takes the first whose method and
template match: a literal has no precedence over a parameter. So a catch-all of an early name
swallows the routes of later ones.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from local_host.web.routes import RouteTemplate
from tests.support.app_tree import ROOT

GUID = "01234567-89ab-cdef-0123-456789abcdef"
# What could stand for a parameter; those that its constraint lets pass are tried.
VALUES = ("some", "some/more", "7", "true", "2026-11-20", GUID, "")


class Route(NamedTuple):
    function: str
    template: str
    methods: frozenset[str]


def sample_values(segment: str) -> list[str]:
    """Texts that a segment of a template matches: itself, or values of its parameter."""
    if "{" not in segment:
        return [segment]
    template = RouteTemplate(segment)
    # The words of a constraint such as regex(^(image|url)$) are its likeliest values.
    values = [*VALUES, *re.findall(r"\w+", segment)]
    matching = [value for value in values if template.match(f"/{value}".rstrip("/")) is not None]
    if not any(matching):
        raise ValueError(f"no value for {segment} is known: add one to VALUES")
    return matching


def sample_paths(template: str) -> Iterable[str]:
    # A slash inside a parameter's braces does not end a segment.
    segments = re.findall(r"(?:\{[^}]*\}|[^/{])+", template)
    for parts in itertools.product(*map(sample_values, segments)):
        yield "/" + "/".join(part for part in parts if part)


def shadowed(routes: Iterable[Route]) -> list[str]:
    """What the host would never route where it is meant to go, as sentences."""
    in_order = sorted(routes, key=lambda route: route.function.lower())
    return [
        f"{later.function}'s {path} goes to {earlier.function} ({earlier.template})"
        for earlier, later in itertools.combinations(in_order, 2)
        if earlier.methods & later.methods
        for path in sample_paths(later.template)
        if RouteTemplate(earlier.template).match(path) is not None
    ]


def the_apps_routes() -> list[Route]:
    prefix = json.loads((ROOT / "host.json").read_text())["extensions"]["http"]["routePrefix"]
    return [
        Route(
            file.parent.name,
            f"{prefix}/{binding['route']}".strip("/"),
            frozenset(binding["methods"]),
        )
        for file in sorted(ROOT.glob("*/function.json"))
        for binding in json.loads(file.read_text())["bindings"]
        if binding["type"] == "httpTrigger"
    ]


def route(function: str, template: str, methods: str = "get post") -> Route:
    return Route(function, template, frozenset(methods.split()))


def test_no_route_shadows_another() -> None:
    routes = the_apps_routes()

    assert {"classify", "status"} <= {each.function for each in routes}
    assert shadowed(routes) == []


def test_the_endpoints_to_come_do_not_shadow_each_other() -> None:
    """The routes that the design gives them, so that no wall has to be moved for them."""
    planned = [
        route("classify", "api/classify", "get post options"),
        route("custom_vision_container", "{kind:regex(^(image|url)$)}", "post"),
        route("custom_vision", "customvision/{*path}", "post"),
        route("negotiate", "api/negotiate", "post options"),
        route("status", "api/status", "get options"),
        route("tf_serving", "v1/{*path}"),
    ]

    assert shadowed(planned) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{*path}", "api/status"),
        ("api/{*rest}", "api/status"),
        ("api/{name}", "api/status"),
        ("API/Status", "api/status"),
        ("{kind:regex(^(image|url)$)}", "url"),
        ("{kind}", "{kind:regex(^(image|url)$)}"),
        ("api/{id:int}", "api/{number:int}"),
        ("api/status/{more?}", "api/status"),
    ],
)
def test_a_bad_order_is_found(earlier: str, later: str) -> None:
    assert shadowed([route("a", earlier), route("b", later)])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("api/status", "{*path}"),
        ("api/{id:int}", "api/status"),
        ("{kind:regex(^(image|url)$)}", "v1/{*path}"),
        ("{kind:regex(^(image|url)$)}", "images"),
        ("api/{name}", "api"),
        ("api/{name}/more", "api/{name}"),
    ],
)
def test_a_good_order_is_let_pass(earlier: str, later: str) -> None:
    assert not shadowed([route("a", earlier), route("b", later)])


def test_order_is_by_name_whatever_the_case() -> None:
    assert shadowed([route("b", "{*path}"), route("C", "api")])
    assert not shadowed([route("c", "{*path}"), route("B", "api")])


def test_other_methods_are_other_routes() -> None:
    assert not shadowed([route("a", "{*path}", "post"), route("b", "api", "get")])
