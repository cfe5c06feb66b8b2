"""Parses the text of a setting to its value; raises ValueError with "must be …"."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

__all__ = [
    "CONTAINER_NAME",
    "PublishedName",
    "containers",
    "count",
    "decode",
    "flag",
    "hosts",
    "items",
    "keys",
    "ports",
    "provider_options",
    "published_names",
    "seconds",
    "text",
    "threads",
]

#: Azure's rule for names of containers; those with a dollar ($root, $web, $logs) are its own.
CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# The Functions host keeps its keys and locks there, and the platform the app's own code.
_PLATFORMS_CONTAINERS = ("azure-webjobs-", "app-package-")


def text(value: str) -> str:
    """Any text, without blanks around it."""
    return value.strip()


def items(text: str) -> tuple[str, ...]:
    """A list separated by commas."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def keys(text: str) -> tuple[str, ...]:
    """Keys, separated by commas.

    Where Azure cannot resolve a reference, the app gets the reference's text instead. Anybody can
    work that out from the app's name, so it must never be accepted as a key.
    """
    parsed = items(text)
    if any(key.casefold().startswith("@microsoft.") for key in parsed):
        raise ValueError(
            "must be keys, and Azure gave the app the text of a reference (@Microsoft.…) that it "
            "could not resolve. See the setting's state in the portal: the secret must be there, "
            "and the app's identity must be allowed to read it. Then save the setting again"
        )
    return parsed


def hosts(text: str) -> tuple[str, ...]:
    """Host names, separated by commas; ``*.example.com`` stands for all below."""
    names = tuple(host.lower().rstrip(".") for host in items(text))
    for host in names:
        if "/" in host or ":" in host.strip("[]") and not host.startswith("["):
            raise ValueError(
                "must be host names without scheme, port or path, such as example.com,*.example.org"
            )
        if "*" in host[1:] or (host.startswith("*") and not host.startswith("*.")):
            raise ValueError("may have a star only at the front, as in *.example.com")
    return names


def containers(text: str) -> frozenset[str]:
    """Names of containers on Azure Blob Storage, separated by commas."""
    names = items(text)
    for name in names:
        if not CONTAINER_NAME.fullmatch(name):
            raise ValueError(
                "must be names of containers, separated by commas, each with 3 to 63 lower-case "
                f"letters, digits and single hyphens, and {name!r} is not"
            )
        if name.startswith(_PLATFORMS_CONTAINERS):
            raise ValueError(
                f"must be names of containers for images, and {name!r} holds what Azure Functions "
                "needs for itself, such as keys and the app's code. Leave it out"
            )
    return frozenset(names)


def ports(text: str) -> frozenset[int]:
    """TCP ports, separated by commas."""
    try:
        numbers = frozenset(int(item) for item in items(text))
    except ValueError:
        numbers = frozenset()
    if not numbers or not all(0 < port < 65536 for port in numbers):
        raise ValueError("must be port numbers from 1 to 65535, separated by commas")
    return numbers


def flag(text: str) -> bool:
    """True or false."""
    match text.strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    raise ValueError("must be true or false")


def count(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise ValueError("must be a whole number of 1 or more")
    return value


def decode(text: str) -> str:
    """``exact`` or ``fast``."""
    value = text.strip().lower()
    if value not in ("exact", "fast"):
        raise ValueError("must be exact or fast")
    return value


def threads(text: str) -> int:
    """A whole number from 0 to 256."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 256:
        raise ValueError("must be a whole number from 0 (automatic) to 256")
    return value


def seconds(text: str) -> float:
    """Seconds, above 0 and at most 3600."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise ValueError("must be a number of seconds above 0 and at most 3600")
    return value


def provider_options(text: str) -> Mapping[str, Mapping[str, str]]:
    """JSON, ``{"CUDAExecutionProvider": {"device_id": "0"}}``; numbers and booleans become text."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise ValueError(
            'must be JSON with an object for each provider, such as {"CUDAExecutionProvider": '
            '{"device_id": 0}}'
        )
    return {
        name: {key: _option(option) for key, option in options.items()}
        for name, options in value.items()
    }


def _option(value: object) -> str:
    if isinstance(value, dict | list) or value is None:
        raise ValueError("must have a text, a number, true or false for each option")
    return value if isinstance(value, str) else json.dumps(value)


class PublishedName(NamedTuple):
    """A name under which Custom Vision's clients request a model.

    Attributes:
        project: the only project that has it; None means any.
        name: the published name, in lower case.
        model: the model that answers.
        version: the only version that answers; None means the model's current one.
    """

    project: UUID | None
    name: str
    model: str
    version: int | None


def published_names(text: str) -> tuple[PublishedName, ...]:
    """A list of ``[PROJECT-ID/]NAME=MODEL[/VERSION]``, separated by commas."""
    names = tuple(map(_published_name, items(text)))
    seen: set[tuple[UUID | None, str]] = set()
    for each in names:
        if each[:2] in seen:
            raise ValueError(f"must be a list of different names, and {each.name!r} is there twice")
        seen.add(each[:2])
    return names


def _published_name(item: str) -> PublishedName:
    published, _, target = (side.strip() for side in item.partition("="))
    project, _, name = (side.strip() for side in published.rpartition("/"))
    model, slash, version = (side.strip() for side in target.partition("/"))
    is_number = version.isascii() and version.isdecimal() and len(version) <= 18
    try:
        project_id = UUID(project) if project else None
    except ValueError:
        project_id, name = None, ""
    if not (name and model) or (slash and not is_number):
        raise ValueError(
            "must be like Iteration1=pets,Iteration2=pets/2 or PROJECT-ID/Iteration1=pets, "
            f"separated by commas, and {item!r} is not"
        )
    return PublishedName(project_id, name.casefold(), model, int(version) if slash else None)
