"""Calls that end early: closed, cancelled or failed; and what stays of them, which is nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from image_classifier_client import AsyncPredictionClient, PredictionClient, Unavailable
from image_classifier_client.results import VersionStatus
from tests.support.servers import free_port

CLOSED = "This client is closed"


class Silent:
    """A server that lets clients connect, and says nothing."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources
        self._listening = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._listening.settimeout(60)
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def wait_for_client(self) -> None:
        self._resources.enter_context(self._listening.accept()[0])


@pytest.fixture
def silent() -> Iterator[Silent]:
    with ExitStack() as resources:
        yield Silent(resources)


async def under_way(
    client: AsyncPredictionClient, server: Silent
) -> asyncio.Task[list[VersionStatus]]:
    task = asyncio.create_task(client.status())
    await asyncio.to_thread(server.wait_for_client)
    return task


def test_a_call_that_runs_when_its_client_is_closed_says_so(silent: Silent) -> None:
    client = PredictionClient(silent.address, timeout=60)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.status)
        silent.wait_for_client()
        client.close()
        with pytest.raises(ValueError, match=CLOSED):
            call.result()


def test_closing_does_not_look_as_if_the_tasks_had_been_cancelled(silent: Silent) -> None:
    async def ask() -> None:
        client = AsyncPredictionClient(silent.address, timeout=60)
        task = await under_way(client, silent)
        async with asyncio.TaskGroup() as group:

            async def wait() -> None:
                await task

            group.create_task(wait())
            await client.close()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(ask())
    assert caught.group_contains(ValueError, match=CLOSED)


def test_a_task_that_is_cancelled_is_cancelled_even_if_its_client_is_closed_at_once(
    silent: Silent,
) -> None:
    async def ask(closes: bool) -> bool:
        async with AsyncPredictionClient(silent.address, timeout=60) as client:
            task = await under_way(client, silent)
            task.cancel()
            if closes:
                await client.close()
            with suppress(asyncio.CancelledError):
                await task
            return task.cancelled()

    assert asyncio.run(ask(closes=False))
    assert asyncio.run(ask(closes=True))


class Batch(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """An array that can be watched."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_failed_call_lets_go_of_its_request_at_once() -> None:
    inputs = {"x": np.ones(3, np.float32).view(Batch)}
    watched = weakref.ref(inputs["x"])
    client = PredictionClient("127.0.0.1", free_port(), retries=1)
    with suppress(Unavailable):
        client.score_numpy_arrays(inputs)
    del inputs

    assert watched() is None


@pytest.mark.usefixtures("no_collector")
def test_so_does_an_awaited_one() -> None:
    async def fail() -> weakref.ref[Batch]:
        inputs = {"x": np.ones(3, np.float32).view(Batch)}
        async with AsyncPredictionClient("127.0.0.1", free_port(), retries=1) as client:
            with suppress(Unavailable):
                await client.score_numpy_arrays(inputs)
        return weakref.ref(inputs["x"])

    async def ask() -> None:
        watched = await fail()
        assert watched() is None

    asyncio.run(ask())
