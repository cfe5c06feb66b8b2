"""Resolves the values of input bindings other than the trigger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from azure.functions.http import HttpRequest

from local_host.bindings.targets import BindingTargets, HubTarget
from local_host.functions.function_table import Binding, Function
from local_host.queues.queue_target import resolve_settings
from local_host.signalr.hubs import Hubs

__all__ = ["resolve_input"]

EXPRESSION = re.compile(r"\{([^{}]+)\}")


def resolve_input(
    function: Function,
    binding: Binding,
    trigger_value: Any,
    targets: BindingTargets,
    hubs: Hubs,
    environ: Mapping[str, str],
) -> str:
    """Resolves the value of a ``signalRConnectionInfo`` binding.

    Args:
        function: the function.
        binding: one of its bindings.
        trigger_value: the trigger's value; ``userId`` may name a part of it.
        targets: the targets of all bindings.
        hubs: the SignalR services.
        environ: app settings.

    Returns:
        a JSON object with ``url`` and ``accessToken``.

    Raises:
        HostError: the binding is invalid.
        NotImplementedError: the binding has another type.
    """
    if binding.type.lower() != "signalrconnectioninfo":
        raise NotImplementedError(
            f"The local host does not support the type '{binding.type}' of the input binding "
            f"'{binding.name}'."
        )
    # Imported late: most apps do not need it.
    from local_host.signalr.endpoint import connection_info

    target = targets.target(function, binding)
    assert isinstance(target, HubTarget)
    template = str(binding.settings.get("userId") or "")
    template = resolve_settings(template, f"Binding {binding.name}: userId", environ, parts=True)
    user = EXPRESSION.sub(lambda match: _part(match[1], trigger_value), template)
    service = hubs.services[target.setting]
    return json.dumps(connection_info(service, target.hub, user or None))


def _part(expression: str, value: Any) -> str:
    """The value of ``headers.…``, ``query.…`` or a route parameter; empty if it is missing."""
    if not isinstance(value, HttpRequest):
        return ""
    kind, dot, name = expression.partition(".")
    if not dot:
        return str(value.route_params.get(expression, ""))
    parts = {"headers": value.headers, "query": value.params}.get(kind.lower(), {})
    lowered = {key.lower(): text for key, text in parts.items()}
    return str(lowered.get(name.lower(), ""))
