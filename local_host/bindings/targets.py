"""Resolves the bindings of all functions to queues and hubs."""

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
    """One hub of the SignalR service in a setting."""

    hub: str
    setting: str


Target = QueueTarget | HubTarget


@dataclass(frozen=True)
class BindingTargets:
    """The targets of all bindings. Plain data: every worker process gets a copy.

    Attributes:
        targets: (function, binding) -> its queue or hub.
        readers: enabled functions with a queue trigger -> their queue.
        off: functions whose queue cannot be resolved with the current settings -> the reason.
        errors: functions with another invalid binding -> the reason.
        hub_settings: the SignalR settings of all enabled functions.
    """

    targets: Mapping[tuple[str, str], Target] = field(default_factory=dict)
    readers: Mapping[str, QueueTarget] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    hub_settings: frozenset[str] = frozenset()

    @classmethod
    def resolve(cls, table: FunctionTable, environ: Mapping[str, str]) -> BindingTargets:
        """Resolves every binding; errors of disabled functions are ignored."""
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
        """Returns the target of a binding.

        Raises:
            HostError: the binding is invalid.
        """
        target = self.targets.get((function.name, binding.name))
        if target is None:
            raise HostError(f"Binding {binding.name} cannot be used with the current settings.")
        return target


def _target(binding: Binding, environ: Mapping[str, str]) -> Target | None:
    kind = binding.type.lower()
    if kind in ("queuetrigger", "queue"):
        return queue_target(binding, environ)
    if kind not in SIGNALR:
        return None
    key = f"Binding {binding.name}: hubName"
    hub = binding.settings.get("hubName")
    if not isinstance(hub, str) or not hub:
        raise HostError(f"{key} is missing.")
    setting = str(binding.settings.get("connectionStringSetting") or DEFAULT_SIGNALR_SETTING)
    return HubTarget(resolve_settings(hub, key, environ), setting)
