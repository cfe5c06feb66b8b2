"""Parses the values of ``signalR`` outputs into messages and group changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["GroupChange", "Invocation", "SignalRError", "parse_message"]

Receivers = Literal["all", "connections", "users", "groups"]
RECORD_END = "\x1e"
ACTIONS: dict[str, Literal["add", "remove", "removeAll"]] = {
    "add": "add",
    "remove": "remove",
    "removeall": "removeAll",
}


class SignalRError(Exception):
    """A message was not sent: it is invalid, or the service rejected it or is unreachable."""


@dataclass(frozen=True)
class Invocation:
    """Calls ``target`` with ``arguments`` on every receiver.

    Attributes:
        target: name of the client's method.
        arguments: JSON values.
        receivers: the kind of receiver that ``name`` is; ``all`` for a broadcast.
        name: a connection's id, a user's or a group's name; empty for a broadcast.
    """

    target: str
    arguments: list[Any]
    receivers: Receivers = "all"
    name: str = ""

    def to_record(self) -> str:
        """Returns the message as a record for clients, in ASCII.

        Raises:
            SignalRError: an argument is not a JSON value.
        """
        body = {"type": 1, "target": self.target, "arguments": self.arguments}
        return to_json(body) + RECORD_END


@dataclass(frozen=True)
class GroupChange:
    """Adds a connection or a user to a group, or removes it.

    Attributes:
        action: the change; ``removeAll`` leaves every group.
        members: the kind of member that ``name`` is.
        name: the connection's id or the user's.
        group: empty with ``removeAll``.
    """

    action: Literal["add", "remove", "removeAll"]
    members: Literal["connections", "users"]
    name: str
    group: str


def to_json(value: Any) -> str:
    """Returns compact JSON in ASCII, so that its length is its size on the wire.

    Raises:
        SignalRError: the value is not a JSON value.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise SignalRError(f"The SignalR message is not JSON: {exc}.") from exc


def parse_message(message: Mapping[str, Any]) -> Invocation | GroupChange:
    """Parses one message as the Functions host does; the case of its keys is ignored.

    A function may return a list of messages; the caller splits it.

    Raises:
        SignalRError: the value is neither a message nor a group action.
    """
    if not isinstance(message, Mapping):
        raise _unusable(f"it is a {type(message).__name__}")
    keys = {str(key).lower(): value for key, value in message.items()}
    names = {key: _text(keys, key) for key in ("connectionid", "userid", "groupname")}
    if isinstance(keys.get("target"), str) and isinstance(keys.get("arguments"), list):
        return _invocation(keys["target"], keys["arguments"], names)
    if keys.get("action"):
        return _group_change(str(keys["action"]), names)
    raise _unusable("it has " + (", ".join(map(str, message)) or "no key"))


def _invocation(target: str, arguments: list[Any], names: Mapping[str, str]) -> Invocation:
    if names["connectionid"]:
        return Invocation(target, arguments, "connections", names["connectionid"])
    if names["userid"]:
        return Invocation(target, arguments, "users", names["userid"])
    if names["groupname"]:
        return Invocation(target, arguments, "groups", names["groupname"])
    return Invocation(target, arguments)


def _group_change(text: str, names: Mapping[str, str]) -> GroupChange:
    action = ACTIONS.get(text.lower())
    if action is None:
        raise _unusable(f"action is {text!r}; add, remove and removeAll are allowed")
    if not names["connectionid"] and not names["userid"]:
        raise _unusable("a group action needs userId or connectionId")
    if not names["groupname"] and action != "removeAll":
        raise _unusable(f"the group action {action} needs groupName")
    group = "" if action == "removeAll" else names["groupname"]
    if names["connectionid"]:
        return GroupChange(action, "connections", names["connectionid"], group)
    return GroupChange(action, "users", names["userid"], group)


def _text(keys: Mapping[str, Any], key: str) -> str:
    value = keys.get(key)
    if value is None or isinstance(value, (str, int)):
        return "" if value is None else str(value)
    raise _unusable(f"{key} must be a string")


def _unusable(reason: str) -> SignalRError:
    # The first sentence is the real host's, which developers search for.
    return SignalRError(
        "Unable to convert JObject to valid output binding type, check parameters. A SignalR "
        'output is {"target": "…", "arguments": […]} with connectionId, userId or groupName if '
        'it is not for everyone, or {"action": "add", "groupName": "…", "userId": "…"}; here '
        f"{reason}."
    )
