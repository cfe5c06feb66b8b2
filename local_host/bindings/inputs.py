"""Values for input bindings other than the trigger."""

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
    """What a function gets for an input binding; ``signalRConnectionInfo`` is the only one known.

    Args:
        function: which function.
        binding: which of its bindings.
        trigger_value: what starts it; ``userId`` may name a part of it.
        targets: what the bindings mean.
        hubs: the SignalR services.
        environ: app settings.

    Raises:
        HostError: the binding cannot be used.
        NotImplementedError: it is of another type.
    """
    if binding.type.lower() != "signalrconnectioninfo":
        raise NotImplementedError(
            f"The local host cannot give the input binding '{binding.name}' of type "
            f"'{binding.type}' a value."
        )
    # Imported late: most apps do without.
    from local_host.signalr.endpoint import connection_info

    target = targets.target(function, binding)
    assert isinstance(target, HubTarget)
    template = str(binding.settings.get("userId") or "")
    template = resolve_settings(template, f"Binding {binding.name}: userId", environ, parts=True)
    user = EXPRESSION.sub(lambda match: _part(match[1], trigger_value), template)
    service = hubs.services[target.setting]
    return json.dumps(connection_info(service, target.hub, user or None))


def _part(expression: str, value: Any) -> str:
    """One of ``headers.…``, ``query.…`` or a route parameter; empty when it is not there."""
    if not isinstance(value, HttpRequest):
        return ""
    kind, dot, name = expression.partition(".")
    if not dot:
        return str(value.route_params.get(expression, ""))
    parts = {"headers": value.headers, "query": value.params}.get(kind.lower(), {})
    lowered = {key.lower(): text for key, text in parts.items()}
    return str(lowered.get(name.lower(), ""))
