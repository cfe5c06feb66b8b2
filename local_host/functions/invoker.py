"""Calls functions: resolves their arguments, converts their outputs, logs start and end."""

from __future__ import annotations

import asyncio
import threading
import time
import types
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import azure.functions

from local_host.console import Console
from local_host.functions.converters import encode_output
from local_host.functions.function_table import Binding, Function
from local_host.functions.loader import RETURN, LoadedFunction
from local_host.functions.tracebacks import failure_text

__all__ = ["CALLED_BY_HOST", "FunctionFailed", "Invoker", "Outputs", "ResolveInput", "WriteOutputs"]

# The real host's text; it appears for HTTP requests, too.
CALLED_BY_HOST = "This function was programmatically called via the host APIs."

# Resolves the value of an input binding other than the trigger, from the trigger's value.
ResolveInput = Callable[[Function, Binding, Any], Any]
# Writes the values of the output bindings; raises if one cannot be written.
WriteOutputs = Callable[[Function, Mapping[str, Any]], Awaitable[None]]


class FunctionFailed(Exception):
    """The function raised, ran too long, or gave its bindings an unusable value; it is logged."""


@dataclass(frozen=True)
class Outputs:
    """The converted outputs of a call: each binding's Datum by name, ``$return`` included."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def of_type(self, loaded: LoadedFunction, binding_type: str) -> Any:
        """The value of the first ``out`` binding of a type; None if it was not set."""
        for binding in loaded.function.bindings:
            if binding.direction == "out" and binding.type.lower() == binding_type:
                return self.values.get(binding.name)
        return None


class _Out(azure.functions.Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


class _Context(azure.functions.Context):
    """The ``context`` argument of a function."""

    _local = threading.local()

    def __init__(self, loaded: LoadedFunction, invocation_id: str) -> None:
        self._function = loaded.function
        self._invocation_id = invocation_id

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return self._local

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return str(self._function.folder)

    @property
    def trace_context(self) -> Any:
        # The real host fills this from Application Insights, which is absent here.
        return types.SimpleNamespace(trace_parent="", trace_state="", attributes={})

    @property
    def retry_context(self) -> Any:
        return types.SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


class Invoker:
    """Runs plain functions in a thread pool and ``async`` functions on the event loop.

    A thread cannot be ended from outside. So a plain function that exceeds the time limit is
    reported as failed at once, but its thread stays busy until the function returns.
    """

    def __init__(
        self,
        console: Console,
        resolve_input: ResolveInput,
        write_outputs: WriteOutputs,
        *,
        threads: int | None,
        timeout_seconds: float | None,
    ) -> None:
        self._console = console
        self._resolve_input = resolve_input
        self._write_outputs = write_outputs
        self._timeout_seconds = timeout_seconds
        # None is Microsoft's worker's default, too: min(32, cores + 4).
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._in_threads: set[Future[Any]] = set()

    @property
    def has_busy_threads(self) -> bool:
        """Whether a function is still running in a thread."""
        return any(future.running() for future in self._in_threads.copy())

    def close(self) -> None:
        """Rejects new calls and drops calls that have not started; does not wait."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def invoke(
        self,
        loaded: LoadedFunction,
        trigger_value: Any,
        reason: str = CALLED_BY_HOST,
        details: str | None = None,
    ) -> Outputs:
        """Calls the function with a converted trigger value.

        Args:
            loaded: the function.
            trigger_value: the argument for its trigger.
            reason: the reason for the call; for the console.
            details: one more line for the console.

        Returns:
            the outputs. All but the HTTP response are written already.

        Raises:
            FunctionFailed: the call failed; the console shows the reason.
        """
        name = f"Functions.{loaded.function.name}"
        invocation_id = str(uuid.uuid4())
        self._console.line(f"Executing '{name}' (Reason='{reason}', Id={invocation_id})")
        if details:
            self._console.line(details)
        start = time.perf_counter()
        error: BaseException | None = None
        outputs = Outputs()
        try:
            outputs = await self._call(loaded, trigger_value, invocation_id)
            await self._write_outputs(loaded.function, outputs.values)
        except asyncio.CancelledError:
            raise  # the host stops
        except BaseException as exc:  # sys.exit() in a function must not end the host
            error = exc
        milliseconds = (time.perf_counter() - start) * 1000
        result = "Failed" if error else "Succeeded"
        self._console.line(
            f"Executed '{name}' ({result}, Id={invocation_id}, Duration={milliseconds:.0f}ms)",
            "red" if error else None,
        )
        if error is not None:
            failure = f"Exception while executing function: {name}. Result: Failure"
            self._console.line(f"{failure}\n{failure_text(error)}", "red")
            raise FunctionFailed(name) from error
        return outputs

    async def _call(
        self, loaded: LoadedFunction, trigger_value: Any, invocation_id: str
    ) -> Outputs:
        arguments = {
            binding.name: trigger_value
            if binding.is_trigger
            else self._resolve_input(loaded.function, binding, trigger_value)
            for binding in loaded.inputs
        }
        outs = {binding.name: _Out() for binding in loaded.outputs}
        arguments.update(outs)
        if loaded.wants_context:
            arguments["context"] = _Context(loaded, invocation_id)
        try:
            async with asyncio.timeout(self._timeout_seconds) as deadline:
                if loaded.is_async:
                    returned = await loaded.call(**arguments)
                else:
                    returned = await self._in_thread(loaded.call, arguments)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeoutError(
                f"Timeout value of {self._timeout_seconds:g} seconds (functionTimeout in "
                "host.json) was exceeded."
            ) from None
        return _convert(loaded, returned, outs)

    async def _in_thread(self, call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        future = self._pool.submit(_guarded, call, arguments)
        self._in_threads.add(future)
        future.add_done_callback(self._in_threads.discard)
        returned, error = await asyncio.wrap_future(future)
        if error is not None:
            raise error
        return returned


def _guarded(
    call: Callable[..., Any], arguments: dict[str, Any]
) -> tuple[Any, BaseException | None]:
    # A SystemExit that reached the loop through the future would end the whole host.
    try:
        return call(**arguments), None
    except BaseException as exc:
        return None, exc


def _convert(loaded: LoadedFunction, returned: Any, outs: Mapping[str, _Out]) -> Outputs:
    if returned is not None and loaded.return_type is None:
        raise RuntimeError(
            f"function '{loaded.function.name}' without a $return binding returned a non-None value"
        )
    values = {
        binding.name: encode_output(binding.type, value)
        for binding in loaded.outputs
        if (value := outs[binding.name].get()) is not None
    }
    if loaded.return_type is not None:
        values[RETURN] = encode_output(loaded.return_type, returned)
    return Outputs(values)
