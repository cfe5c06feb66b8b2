"""Reads ``extensions.queues`` of host.json."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_host.configuration.json_file import parse_time_span
from local_host.errors import HostError

__all__ = ["QueueSettings"]

LARGEST_BATCH = 32
SHORTEST_POLLING_SECONDS = 0.1
DEVELOPMENT_POLLING_SECONDS = 2.0
POLLING_SECONDS = 60.0
WEEK_SECONDS = 7 * 86400.0
ENCODINGS = ("base64", "none")


@dataclass(frozen=True)
class QueueSettings:
    """The settings of queue triggers, with the real host's defaults.

    Attributes:
        batch_size: messages fetched by one request, 1 to 32.
        new_batch_threshold: fetch again when at most this many run; None: half a batch per core.
        max_polling_seconds: longest pause between two requests to an empty queue; None: 2 s in
            Development, 60 s elsewhere.
        visibility_timeout_seconds: how long a failed message stays hidden.
        max_dequeue_count: tries before a message goes to the poison queue.
        is_base64: whether messages are base64 rather than plain text.
    """

    batch_size: int = 16
    new_batch_threshold: int | None = None
    max_polling_seconds: float | None = None
    visibility_timeout_seconds: int = 0
    max_dequeue_count: int = 5
    is_base64: bool = True

    @classmethod
    def parse(cls, data: Mapping[str, Any], path: Path) -> QueueSettings:
        """Reads the block of host.json that ``path`` names.

        Raises:
            HostError: a value is invalid; the message names file, key and value.
        """
        encoding = data.get("messageEncoding", "base64")
        if str(encoding).lower() not in ENCODINGS:
            raise _error(path, "messageEncoding", encoding, "base64 or none")
        return cls(
            batch_size=_whole(data, "batchSize", cls.batch_size, 1, LARGEST_BATCH, path),
            new_batch_threshold=_whole(data, "newBatchThreshold", None, 0, None, path),
            max_polling_seconds=_seconds(
                data, "maxPollingInterval", SHORTEST_POLLING_SECONDS, None, path
            ),
            visibility_timeout_seconds=int(
                _seconds(data, "visibilityTimeout", 0.0, WEEK_SECONDS, path) or 0
            ),
            max_dequeue_count=_whole(data, "maxDequeueCount", cls.max_dequeue_count, 1, None, path),
            is_base64=str(encoding).lower() == "base64",
        )

    @property
    def threshold(self) -> int:
        """The effective threshold on this machine."""
        if self.new_batch_threshold is not None:
            return self.new_batch_threshold
        return self.batch_size // 2 * (os.cpu_count() or 1)

    @property
    def parallel(self) -> int:
        """The largest number of running messages of one function in the whole host."""
        return self.batch_size + self.threshold

    def polling_seconds(self, environment: str) -> float:
        """The effective longest pause in an environment, in seconds."""
        if self.max_polling_seconds is not None:
            return self.max_polling_seconds
        is_development = environment.lower() == "development"
        return DEVELOPMENT_POLLING_SECONDS if is_development else POLLING_SECONDS


def _error(path: Path, key: str, value: Any, allowed: str) -> HostError:
    return HostError(f"{path}: extensions.queues.{key}={value!r} must be {allowed}.")


def _whole(
    data: Mapping[str, Any], key: str, default: Any, least: int, most: int | None, path: Path
) -> Any:
    value = data.get(key)
    if value is None:
        return default
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or value < least
        or (most is not None and value > most)
    ):
        span = f"from {least} to {most}" if most is not None else f"of {least} or more"
        raise _error(path, key, value, f"a whole number {span}")
    return value


def _seconds(
    data: Mapping[str, Any], key: str, least: float, most: float | None, path: Path
) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    seconds = parse_time_span(value)
    if seconds is None or seconds < least or (most is not None and seconds > most):
        span = f"at least {least:g} s" if most is None else f"from {least:g} s to {most:g} s"
        raise _error(path, key, value, f"hh:mm:ss, such as 00:00:02, {span}")
    return seconds
