"""What the queue bindings of function.json say, with the settings that they name."""

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
        """Where messages that fail too often go; None when there can be no such queue."""
        if self.queue.endswith(POISON) or len(self.queue) + len(POISON) > LONGEST_NAME:
            return None
        return self.queue + POISON


def queue_target(binding: Binding, environ: Mapping[str, str]) -> QueueTarget:
    """The queue that a ``queueTrigger`` or ``queue`` binding means.

    Raises:
        HostError: a name or a setting is missing or cannot be used.
    """
    key = f"Binding {binding.name}: queueName"
    given = binding.settings.get("queueName")
    if not isinstance(given, str) or not given:
        raise HostError(f"{key} is missing.")
    # As the real host does it; the service knows no capitals.
    name = resolve_settings(given, key, environ).lower()
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
    """Puts in the values of app settings where the text has ``%Name%``.

    Args:
        text: as function.json has it.
        key: what the text is, for messages.
        environ: app settings.
        parts: whether ``{…}`` is allowed too; it stays as it is.

    Raises:
        HostError: there is no such setting, or the text has what only the real host resolves.
    """

    def value(match: re.Match[str]) -> str:
        found = environ.get(match[1])
        if found is None:
            raise HostError(
                f"{key}='{text}': %{match[1]}% does not resolve to a value. Set {match[1]} in "
                "local.settings.json."
            )
        return found

    resolved = SETTING.sub(value, text)
    if "{" in resolved and not parts:
        raise HostError(f"{key}='{text}': the local host does not resolve {{…}} here.")
    return resolved
