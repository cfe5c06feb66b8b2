"""The lines about a storage account that goes away and returns."""

from __future__ import annotations

import pytest

from local_host.console import Console
from local_host.queues.storage_account import StorageAccount
from local_host.queues.storage_monitor import StorageMonitor

LOCAL = StorageAccount("http://127.0.0.1:10001/a", "a", b"k", setting="AzureWebJobsStorage")
REMOTE = StorageAccount("https://a.queue.core.windows.net", "a", b"k", setting="Other")


def lines_of(outcomes: list[str | None], account: StorageAccount, readers: list[str]) -> list[str]:
    """The console's lines for requests with these outcomes, without their time stamps."""
    texts: list[str] = []
    console = Console(texts.append)
    monitor = StorageMonitor(account, readers, console)
    for outcome in outcomes:
        monitor(outcome)
    console.close()
    return [line.partition("] ")[2] for line in "".join(texts).splitlines()]


def test_storage_that_always_answers_is_not_mentioned() -> None:
    assert lines_of([None, None, None], LOCAL, ["f"]) == []


def test_storage_that_never_answered_turns_its_functions_off_and_on_once() -> None:
    assert lines_of(["refused", "timeout", "refused", None, None], LOCAL, ["f", "g"]) == [
        "Function f and g is off: the storage at http://127.0.0.1:10001/a (AzureWebJobsStorage) "
        "cannot be reached: refused. `python -m tools.azurite` starts the emulator. The host keeps "
        "trying; HTTP works meanwhile.",
        "Function f and g is on: the storage at http://127.0.0.1:10001/a (AzureWebJobsStorage) "
        "answers.",
    ]


def test_storage_that_answered_before_is_lost_and_found_each_time_once() -> None:
    outcomes = [None, "timeout", "refused", None, None, "refused", None]
    assert lines_of(outcomes, REMOTE, ["f"]) == [
        "Lost the storage at https://a.queue.core.windows.net (Other): timeout. The host keeps "
        "trying.",
        "Found the storage at https://a.queue.core.windows.net (Other) again.",
        "Lost the storage at https://a.queue.core.windows.net (Other): refused. The host keeps "
        "trying.",
        "Found the storage at https://a.queue.core.windows.net (Other) again.",
    ]


def test_storage_that_no_function_reads_turns_none_off() -> None:
    lines = lines_of(["refused", None], REMOTE, [])

    assert [line.split(" the storage")[0] for line in lines] == ["Lost", "Found"]


@pytest.mark.parametrize(
    ("endpoint", "advice"),
    [
        ("http://localhost:10001/a", "python -m tools.azurite"),
        ("http://[::1]:10001/a", "python -m tools.azurite"),
        ("https://a.queue.core.windows.net", "Is the connection string right"),
    ],
)
def test_advice_depends_on_where_the_storage_is(endpoint: str, advice: str) -> None:
    (line,) = lines_of(["refused"], StorageAccount(endpoint), ["f"])

    assert advice in line
