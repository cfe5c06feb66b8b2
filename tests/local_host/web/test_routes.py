from __future__ import annotations

from pathlib import Path

import pytest

from local_host.functions.function_table import Binding, Function
from local_host.web.routes import RouteTable, RouteTemplate, decode_path


def function(name: str, route: str, *methods: str, disabled: bool = False) -> Function:
    settings = {"route": route, "methods": list(methods)}
    trigger = Binding("req", "httpTrigger", "in", settings)
    return Function(name, Path(name), Path("x.py"), "main", (trigger,), disabled, {})


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/classify", "/api/classify", {}),
        ("api/classify", "/API/Classify/", {}),
        ("api/classify", "/api/classify/x", None),
        ("api/classify", "/api//classify", None),
        ("api/classify", "/api/classifying", None),
        ("", "/", {}),
        ("a/{id}", "/a/7", {"id": "7"}),
        ("a/{id}", "/a", None),
        ("a/{id}", "/a/7/8", None),
        ("a/{id?}", "/a", {}),
        ("a/{id?}", "/a/7", {"id": "7"}),
        ("a/{x?}/b", "/a/b", None),
        ("a/{x?}/{y?}", "/a/1", {"x": "1"}),
        ("a/{id:int}", "/a/-12", {"id": "-12"}),
        ("a/{id:int}", "/a/x", None),
        ("a/{id:int}", "/a/2147483648", None),
        ("a/{id:int?}", "/a", {}),
        ("a/{id:int?}", "/a/x", None),
        ("a/{id:int=5}", "/a", {"id": "5"}),
        ("a/{id:int:min(3):max(5)}", "/a/4", {"id": "4"}),
        ("a/{id:int:min(3):max(5)}", "/a/6", None),
        ("a/{x:length(2,3)}", "/a/abc", {"x": "abc"}),
        ("a/{x:length(2)}", "/a/abc", None),
        ("a/{x:guid}", "/a/0f8fad5b-d9cb-469f-a165-70867728950e", "same"),
        ("a/{x:datetime}", "/a/2026-11-20", "same"),
        ("a/{x:alpha}", "/a/ab1", None),
        ("a/{*path}", "/a", {}),
        ("a/{*path}", "/a/b/c/", {"path": "b/c/"}),
        ("a/{**path}", "/a/b/c", {"path": "b/c"}),
        ("{kind:regex(^(image|url)$)}", "/image", {"kind": "image"}),
        ("{kind:regex(^(image|url)$)}", "/URL", {"kind": "URL"}),
        ("{kind:regex(^(image|url)$)}", "/images", None),
        (r"{n:regex(^\d{{2}}$)}", "/12", {"n": "12"}),
        (r"{n:regex(^\d{{2}}$)}", "/123", None),
        ("{p:regex(^a/b$)}", "/a", None),
        ("{a}-{b}", "/x-y-z", {"a": "x-y", "b": "z"}),
        ("f/{name}.{ext?}", "/f/a.b.c", {"name": "a.b", "ext": "c"}),
        ("f/{name}.{ext?}", "/f/a", {"name": "a"}),
        ("a+b(c)", "/a+b(c)", {}),
    ],
)
def test_template_matches_as_in_asp_net(
    template: str, path: str, values: dict[str, str] | None | str
) -> None:
    found = RouteTemplate(template).match(path)

    assert found == ({"x": path.rpartition("/")[2]} if values == "same" else values)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("a/{id", "braces"),
        ("a/id}", "braces"),
        ("a//b", "empty segment"),
        ("{*all}/b", "last segment"),
        ("x{*all}", "only a dot"),
        ("a/{id:whole}", "constraint whole is unknown; the constraints are: alpha"),
        ("a/{id:min(x)}", "whole numbers"),
        ("a/{id:regex(()}", "regular expression"),
        ("{id}/{ID}", "twice"),
        ("a/{}", "no name"),
    ],
)
def test_bad_template_is_refused_with_a_reason(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RouteTemplate(template)


def test_first_function_by_name_wins_over_a_literal_of_a_later_one() -> None:
    table = RouteTable([function("a", "v1/{x}"), function("b", "v1/special")], "api")

    found = table.match("GET", "/api/v1/special")

    assert found and found[0].name == "a" and found[1] == {"x": "special"}


def test_wrong_method_falls_through_to_the_next_function() -> None:
    table = RouteTable([function("a", "x", "POST"), function("b", "x", "GET")], "")

    found = table.match("GET", "/x")

    assert found and found[0].name == "b"
    assert table.match("HEAD", "/x") is None


def test_disabled_function_has_no_route() -> None:
    assert RouteTable([function("a", "x", disabled=True)], "").match("GET", "/x") is None


def test_function_with_a_bad_route_is_reported_and_the_others_are_routed() -> None:
    table = RouteTable([function("a", "{x"), function("b", "b")], "")

    assert "braces" in table.errors["a"]
    assert table.match("GET", "/b")


def test_escaped_slash_stays_escaped() -> None:
    assert decode_path("/a%20b%2Fc%2fd/%C3%A9") == "/a b%2Fc%2Fd/é"
