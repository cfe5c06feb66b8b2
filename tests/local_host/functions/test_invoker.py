"""The lines that the console shows of one call, and its outcome."""

from __future__ import annotations

import asyncio
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_host.console import Console
from local_host.functions.function_table import Binding, Function
from local_host.functions.invoker import FunctionFailed, Invoker
from local_host.functions.loader import LoadedFunction

RED = "\x1b[31m"


def loaded(call: Any, *, is_async: bool = True) -> LoadedFunction:
    trigger = Binding("req", "httpTrigger", "in")
    function = Function("f", Path(), Path(), "main", (trigger,), False, {})
    return LoadedFunction(function, call, is_async, False, (trigger,), (), None)


def invoke(
    function: LoadedFunction, *, timeout_seconds: float | None = None, write_error: str = ""
) -> tuple[bool, str]:
    """Calls a function once; returns whether it succeeded, and the console's text."""
    lines: list[str] = []
    console = Console(lines.append, colour=True)

    async def write_outputs(function: Function, values: Mapping[str, Any]) -> None:
        if write_error:
            raise ValueError(write_error)

    async def run() -> bool:
        invoker = Invoker(
            console,
            lambda function, binding, value: None,
            write_outputs,
            threads=1,
            timeout_seconds=timeout_seconds,
        )
        try:
            await invoker.invoke(function, "value", "a reason", "some details")
        except FunctionFailed:
            return False
        finally:
            invoker.close()
        return True

    try:
        succeeded = asyncio.run(asyncio.wait_for(run(), 20))
    finally:
        console.close()
    return succeeded, "".join(lines)


def text_of_call(function: LoadedFunction) -> str:
    succeeded, text = invoke(function)
    assert succeeded
    return text


def text_of_failed_call(function: LoadedFunction, **options: Any) -> str:
    succeeded, text = invoke(function, **options)
    assert not succeeded
    return text


async def succeed(req: Any) -> None:
    assert req == "value"


async def fail(req: Any) -> None:
    raise ValueError("no good")


def test_call_that_succeeds_is_three_lines_without_colour() -> None:
    text = text_of_call(loaded(succeed))

    stamp, id = r"\[[-0-9T:.]+Z\]", r"[-0-9a-f]{36}"
    assert re.fullmatch(
        rf"{stamp} Executing 'Functions\.f' \(Reason='a reason', Id=({id})\)\n"
        rf"{stamp} some details\n"
        rf"{stamp} Executed 'Functions\.f' \(Succeeded, Id=\1, Duration=\d+ms\)\n",
        text,
    )
    assert "\x1b" not in text


def test_call_that_fails_is_red_with_the_exception() -> None:
    text = text_of_failed_call(loaded(fail))

    assert re.search(rf"{re.escape(RED)}\[\S+\] Executed 'Functions\.f' \(Failed, Id=", text)
    assert re.search(rf"{re.escape(RED)}\[\S+\] Exception while executing function", text)
    assert "Exception: ValueError: no good" in text


def test_duration_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.2346])
    clock = types.SimpleNamespace(perf_counter=lambda: next(times))
    monkeypatch.setattr("local_host.functions.invoker.time", clock)

    assert "Duration=1235ms" in text_of_call(loaded(succeed))


def test_output_that_cannot_be_written_fails_the_call() -> None:
    text = text_of_failed_call(loaded(succeed), write_error="no queue")

    assert "(Failed," in text and "ValueError: no queue" in text


@pytest.mark.parametrize("is_async", [False, True])
def test_exit_of_a_function_fails_its_call_and_not_the_host(is_async: bool) -> None:
    async def leave_async(req: Any) -> None:
        raise SystemExit(3)

    def leave(req: Any) -> None:
        raise SystemExit(3)

    text = text_of_failed_call(loaded(leave_async if is_async else leave, is_async=is_async))

    assert "Exception: SystemExit: 3" in text


def test_call_that_exceeds_the_time_limit_fails_with_its_name() -> None:
    async def hang(req: Any) -> None:
        await asyncio.Event().wait()

    text = text_of_failed_call(loaded(hang), timeout_seconds=0.01)

    assert "Timeout value of 0.01 seconds (functionTimeout in host.json) was exceeded." in text


def test_timeout_error_of_the_function_itself_is_not_taken_for_the_limit() -> None:
    async def raise_timeout(req: Any) -> None:
        raise TimeoutError("mine")

    text = text_of_failed_call(loaded(raise_timeout), timeout_seconds=60)

    assert "TimeoutError: mine" in text and "functionTimeout" not in text
