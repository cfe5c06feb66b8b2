"""Resolves the queue bindings of function.json, with the app settings that they name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local_host.errors import HostError
from local_host.functions.function_table import Binding
from local_host.queues.storage_account import StorageAccount, find_account

__all__ = ["QueueTarget", "queue_target", "resolve_settings"]

SETTING = re.compile(r"%([^%]+)%")
QUEUE_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
LONGEST_NAME = 63
POISON = "-poison"


@dataclass(frozen=True)
class QueueTarget:
    """One queue of one account."""

    queue: str
    account: StorageAccount

    @property
    def poison(self) -> str | None:
        """The queue for messages that fail too often; None if it cannot exist."""
        if self.queue.endswith(POISON) or len(self.queue) + len(POISON) > LONGEST_NAME:
            return None
        return self.queue + POISON


def queue_target(binding: Binding, environ: Mapping[str, str]) -> QueueTarget:
    """Resolves the queue of a ``queueTrigger`` or ``queue`` binding.

    Raises:
        HostError: a name or a setting is missing or invalid.
    """
    key = f"Binding {binding.name}: queueName"
    template = binding.settings.get("queueName")
    if not isinstance(template, str) or not template:
        raise HostError(f"{key} is missing.")
    # As in the real host; the service accepts lower case only.
    name = resolve_settings(template, key, environ).lower()
    if not 3 <= len(name) <= LONGEST_NAME or not QUEUE_NAME.fullmatch(name):
        raise HostError(
            f"{key}='{name}' is not a name of a queue: 3 to 63 letters, digits and single "
            "hyphens, with no hyphen at its ends."
        )
    connection = str(binding.settings.get("connection") or "")
    return QueueTarget(name, find_account(connection, environ))


def resolve_settings(
    text: str, key: str, environ: Mapping[str, str], *, parts: bool = False
) -> str:
    """Replaces each ``%Name%`` in the text by the value of that app setting.

    Args:
        text: the text of function.json.
        key: the name of the text, for messages.
        environ: app settings.
        parts: whether ``{…}`` is allowed, too; it is kept.

    Raises:
        HostError: a setting is missing, or the text has an expression that only the real host
            resolves.
    """

    def value(match: re.Match[str]) -> str:
        setting = environ.get(match[1])
        if setting is None:
            raise HostError(
                f"{key}='{text}': %{match[1]}% does not resolve to a value. Set {match[1]} in "
                "local.settings.json."
            )
        return setting

    resolved = SETTING.sub(value, text)
    if "{" in resolved and not parts:
        raise HostError(f"{key}='{text}': the local host does not resolve {{…}} here.")
    return resolved
