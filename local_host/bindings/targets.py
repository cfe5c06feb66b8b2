"""What the bindings of all functions mean on this machine: queues, hubs, and who reads what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local_host.errors import HostError
from local_host.functions.function_table import Binding, Function, FunctionTable
from local_host.queues.queue_target import QueueTarget, queue_target, resolve_settings

__all__ = ["SIGNALR", "HubTarget", "Target", "BindingTargets"]

SIGNALR = ("signalr", "signalrconnectioninfo")
DEFAULT_SIGNALR_SETTING = "AzureSignalRConnectionString"


@dataclass(frozen=True)
class HubTarget:
    """One hub of the SignalR service that a setting names."""

    hub: str
    setting: str


Target = QueueTarget | HubTarget


@dataclass(frozen=True)
class BindingTargets:
    """Plain data: every worker process gets a copy.

    Attributes:
        targets: function and binding -> the queue or hub that it means.
        readers: functions that a queue starts and that are on -> their queue.
        off: functions whose queue cannot be read with the settings that there are -> why.
        errors: functions with another binding that cannot be used -> why.
        hub_settings: the SignalR settings of all functions that are on.
    """

    targets: Mapping[tuple[str, str], Target] = field(default_factory=dict)
    readers: Mapping[str, QueueTarget] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    hub_settings: frozenset[str] = frozenset()

    @classmethod
    def resolve(cls, table: FunctionTable, environ: Mapping[str, str]) -> BindingTargets:
        """Resolves every binding; what is wrong with a function that is off does not matter."""
        targets: dict[tuple[str, str], Target] = {}
        readers: dict[str, QueueTarget] = {}
        off: dict[str, str] = {}
        errors: dict[str, str] = {}
        hub_settings: set[str] = set()
        for function in table.functions:
            for binding in function.bindings:
                try:
                    target = _target(binding, environ)
                except HostError as exc:
                    if not function.disabled:
                        (off if binding.is_trigger else errors)[function.name] = str(exc)
                    continue
                if target is not None:
                    targets[function.name, binding.name] = target
                if isinstance(target, HubTarget) and not function.disabled:
                    hub_settings.add(target.setting)
                if isinstance(target, QueueTarget) and binding.is_trigger and not function.disabled:
                    readers[function.name] = target
        return cls(targets, readers, off, errors, frozenset(hub_settings))

    def target(self, function: Function, binding: Binding) -> Target:
        """What a binding means.

        Raises:
            HostError: it cannot be used.
        """
        found = self.targets.get((function.name, binding.name))
        if found is None:
            raise HostError(f"Binding {binding.name} cannot be used with the settings there are.")
        return found


def _target(binding: Binding, environ: Mapping[str, str]) -> Target | None:
    kind = binding.type.lower()
    if kind in ("queuetrigger", "queue"):
        return queue_target(binding, environ)
    if kind not in SIGNALR:
        return None
    key = f"Binding {binding.name}: hubName"
    given = binding.settings.get("hubName")
    if not isinstance(given, str) or not given:
        raise HostError(f"{key} is missing.")
    setting = str(binding.settings.get("connectionStringSetting") or DEFAULT_SIGNALR_SETTING)
    return HubTarget(resolve_settings(given, key, environ), setting)
