from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from local_host.configuration.host_json import HostFile
from local_host.configuration.queue_settings import QueueSettings
from local_host.errors import HostError
from local_host.queues.backoff import Backoff
from tests.support.apps import write_app


def read(root: Path, **queues: Any) -> QueueSettings:
    return HostFile.read(write_app(root, {"extensions": {"queues": queues}})).queues


def test_defaults_are_the_real_hosts(tmp_path: Path) -> None:
    settings = read(tmp_path)

    assert (settings.batch_size, settings.max_dequeue_count) == (16, 5)
    assert (settings.visibility_timeout_seconds, settings.is_base64) == (0, True)
    assert settings.threshold == 8 * (os.cpu_count() or 1)
    assert settings.parallel == 16 + settings.threshold
    assert settings.polling_seconds("Development") == 2
    assert settings.polling_seconds("Production") == 60


def test_every_key_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        batchSize=1,
        newBatchThreshold=0,
        maxPollingInterval="00:00:00.100",
        visibilityTimeout="00:01:30",
        maxDequeueCount=2,
        messageEncoding="None",
    )

    assert (settings.batch_size, settings.threshold, settings.parallel) == (1, 0, 1)
    assert settings.polling_seconds("Production") == pytest.approx(0.1)
    assert (settings.visibility_timeout_seconds, settings.max_dequeue_count) == (90, 2)
    assert not settings.is_base64


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("batchSize", 0, "a whole number from 1 to 32"),
        ("batchSize", 33, "a whole number from 1 to 32"),
        ("batchSize", "16", "a whole number from 1 to 32"),
        ("batchSize", True, "a whole number from 1 to 32"),
        ("newBatchThreshold", -1, "a whole number of 0 or more"),
        ("newBatchThreshold", 1.5, "a whole number of 0 or more"),
        ("maxPollingInterval", "2", "hh:mm:ss, such as 00:00:02, at least 0.1 s"),
        ("maxPollingInterval", "00:00:00.05", "hh:mm:ss, such as 00:00:02, at least 0.1 s"),
        ("visibilityTimeout", "8.00:00:00", "from 0 s to 604800 s"),
        ("visibilityTimeout", 30, "from 0 s to 604800 s"),
        ("maxDequeueCount", 0, "a whole number of 1 or more"),
        ("messageEncoding", "utf-8", "base64 or none"),
    ],
)
def test_bad_value_is_refused_with_key_and_value(
    tmp_path: Path, key: str, value: Any, allowed: str
) -> None:
    with pytest.raises(HostError) as caught:
        read(tmp_path, **{key: value})

    assert f"extensions.queues.{key}={value!r} must be " in str(caught.value)
    assert allowed in str(caught.value) and "host.json" in str(caught.value)


def test_queues_that_is_no_object_is_refused(tmp_path: Path) -> None:
    write_app(tmp_path)
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"queues": [1]}}), "utf-8")

    with pytest.raises(HostError, match="queues must be a JSON object"):
        HostFile.read(tmp_path)


def test_pauses_grow_at_random_to_the_longest_and_start_anew_after_a_message() -> None:
    backoff = Backoff(2.0)
    pauses = [backoff.next() for _ in range(12)]

    assert pauses[0] == pytest.approx(0.1)
    assert 0.18 <= pauses[1] <= 0.22 and 0.34 <= pauses[2] <= 0.46
    assert pauses == sorted(pauses) and pauses[-1] == 2.0
    backoff.reset()
    assert backoff.next() == pytest.approx(0.1)


def test_pauses_of_a_queue_that_is_always_looked_at_stay_short() -> None:
    backoff = Backoff(0.1)

    assert [backoff.next() for _ in range(5)] == [0.1] * 5
