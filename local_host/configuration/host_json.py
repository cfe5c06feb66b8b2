"""Reads host.json: the limits for HTTP, queues and running times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_host.configuration.json_file import parse_time_span, read_json_object
from local_host.configuration.queue_settings import QueueSettings
from local_host.errors import HostError

__all__ = ["HostFile"]

UNBOUNDED = -1
DEFAULT_TIMEOUT_SECONDS = 30 * 60.0


@dataclass(frozen=True)
class HostFile:
    """The supported keys of host.json, with the real host's defaults.

    Attributes:
        route_prefix: the start of every route, without slashes at its ends.
        max_outstanding_requests: largest number of running and waiting requests; one more gets
            429. -1: no limit.
        max_concurrent_requests: largest number of running requests; others wait. -1: no limit.
        function_timeout_seconds: time limit of a function call; None: no limit.
        queues: ``extensions.queues``.
    """

    route_prefix: str = "api"
    max_outstanding_requests: int = UNBOUNDED
    max_concurrent_requests: int = UNBOUNDED
    function_timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS
    queues: QueueSettings = QueueSettings()

    @classmethod
    def read(cls, root: Path) -> HostFile:
        """Reads ``host.json`` in the app's root.

        Raises:
            HostError: the file is missing or has an invalid value.
        """
        path = root / "host.json"
        if not path.is_file():
            raise HostError(
                f"There is no host.json in {root}, so this is not the root of a function app. "
                "Run from the app's root, or name it with --root."
            )
        data = read_json_object(path)
        extensions = _object(data, "extensions", path)
        http = _object(extensions, "http", path)
        prefix = http.get("routePrefix", cls.route_prefix)
        if not isinstance(prefix, str):
            raise HostError(f"{path}: extensions.http.routePrefix={prefix!r} must be a string.")
        return cls(
            route_prefix=prefix.strip("/"),
            max_outstanding_requests=_limit(http, "maxOutstandingRequests", path),
            max_concurrent_requests=_limit(http, "maxConcurrentRequests", path),
            function_timeout_seconds=_timeout(data.get("functionTimeout"), path),
            queues=QueueSettings.parse(_object(extensions, "queues", path), path),
        )


def _object(parent: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise HostError(f"{path}: {key} must be a JSON object.")
    return value


def _limit(http: dict[str, Any], key: str, path: Path) -> int:
    value = http.get(key, UNBOUNDED)
    if not isinstance(value, int) or isinstance(value, bool) or value == 0 or value < UNBOUNDED:
        raise HostError(
            f"{path}: extensions.http.{key}={value!r} must be a whole number of 1 or more, "
            "or -1 for no limit."
        )
    return value


def _timeout(value: Any, path: Path) -> float | None:
    if value is None:
        return DEFAULT_TIMEOUT_SECONDS
    if str(value) == "-1":
        return None
    seconds = parse_time_span(value)
    if seconds is None:
        raise HostError(
            f"{path}: functionTimeout={value!r} must be hh:mm:ss, such as 00:05:00, "
            "or -1 for no limit."
        )
    return seconds
