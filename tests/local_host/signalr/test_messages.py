from __future__ import annotations

import json
from typing import Any

import pytest

from local_host.signalr.messages import GroupChange, Invocation
from local_host.signalr.senders import SignalRError, parse_message

CALL = {"target": "newResult", "arguments": [1]}


@pytest.mark.parametrize(
    ("receiver", "wanted"),
    [
        ({}, Invocation("newResult", [1])),
        ({"connectionId": None, "userId": ""}, Invocation("newResult", [1])),
        ({"groupName": "g"}, Invocation("newResult", [1], "groups", "g")),
        ({"groupName": "g", "userId": "u"}, Invocation("newResult", [1], "users", "u")),
        (
            {"groupName": "g", "userId": "u", "connectionId": "c"},
            Invocation("newResult", [1], "connections", "c"),
        ),
        ({"CONNECTIONID": "c"}, Invocation("newResult", [1], "connections", "c")),
    ],
)
def test_the_narrowest_receiver_counts(receiver: dict[str, Any], wanted: Invocation) -> None:
    assert parse_message({**CALL, **receiver}) == wanted


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        (
            {"action": "add", "groupName": "g", "userId": "u"},
            GroupChange("add", "users", "u", "g"),
        ),
        (
            {"action": "Remove", "groupName": "g", "connectionId": "c", "userId": "u"},
            GroupChange("remove", "connections", "c", "g"),
        ),
        ({"action": "removeAll", "userId": "u"}, GroupChange("removeAll", "users", "u", "")),
    ],
)
def test_a_group_action_is_understood(action: dict[str, str], wanted: GroupChange) -> None:
    assert parse_message(action) == wanted


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({}, "no key"),
        ({"target": "newResult"}, "it has target"),
        ({"target": "newResult", "arguments": {"a": 1}}, "target, arguments"),
        ({"target": 7, "arguments": []}, "target, arguments"),
        ({**CALL, "userId": ["u"]}, "userid must be a string"),
        ({"action": "join", "groupName": "g", "userId": "u"}, "'join'"),
        ({"action": "add", "userId": "u"}, "needs groupName"),
        ({"action": "add", "groupName": "g"}, "needs userId or connectionId"),
        ([CALL], "it is a list"),
        ("text", "it is a str"),
    ],
)
def test_anything_else_is_refused_in_the_hosts_words_and_with_what_to_do(
    message: Any, reason: str
) -> None:
    with pytest.raises(SignalRError) as caught:
        parse_message(message)

    assert str(caught.value).startswith("Unable to convert JObject to valid output binding type")
    assert reason in str(caught.value)


def test_a_record_is_json_in_ascii_with_its_end_mark() -> None:
    record = Invocation("t", ["Grün \x1e", None]).to_record()

    assert record.isascii()
    assert record.count("\x1e") == 1
    assert json.loads(record.rstrip("\x1e")) == {
        "type": 1,
        "target": "t",
        "arguments": ["Grün \x1e", None],
    }


@pytest.mark.parametrize("argument", [float("nan"), {1, 2}, b"bytes"])
def test_what_is_no_json_is_refused(argument: object) -> None:
    with pytest.raises(SignalRError, match="not JSON"):
        Invocation("t", [argument]).to_record()
