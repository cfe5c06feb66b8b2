"""The load generator's gRPC client: the same closed loop, the same checks, on one channel."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import grpc

from benchmarks.load.generator import (
    ADDRESS,
    ENOUGH_ERRORS,
    PATIENCE_SECONDS,
    Load,
    Outcome,
    check_answer,
)
from model_server.grpc import messages

__all__ = ["PREDICT", "GrpcSender"]

PREDICT = "/tensorflow.serving.PredictionService/Predict"


class GrpcSender:
    """Asks one server the same thing again and again.

    Args:
        load: its file is a serialized PredictRequest.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._request = Path(load.file).read_bytes()
        self._outcome = Outcome()
        self._first = self._last = 0.0

    async def closed_loop(self) -> Outcome:
        """Each client asks anew when it has its answer."""
        gc.disable()
        try:
            async with grpc.aio.insecure_channel(f"{ADDRESS}:{self._load.port}") as channel:
                call = channel.unary_unary(PREDICT)  # bytes as they are
                end = time.perf_counter() + self._load.seconds

                async def client() -> None:
                    while time.perf_counter() < end and len(self._outcome.errors) < ENOUGH_ERRORS:
                        await self._ask(call)

                await asyncio.gather(*(client() for _ in range(self._load.clients)))
        finally:
            gc.enable()
        count = len(self._outcome.latencies)
        if self._last > self._first:
            self._outcome.per_second = (count - 1) / (self._last - self._first)
        return self._outcome

    async def _ask(self, call: grpc.aio.UnaryUnaryMultiCallable) -> None:
        started = time.perf_counter()
        try:
            answer = messages.PredictResponse.FromString(
                await call(self._request, timeout=PATIENCE_SECONDS)
            )
            label = answer.outputs["label"].string_val[0].decode()
            check_answer(self._load, label, max(answer.outputs["probabilities"].float_val))
        except Exception as exc:  # a wrong answer, or whatever gRPC has to say
            self._outcome.errors.append(f"{type(exc).__name__}: {exc}")
            return
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self._outcome.latencies.append((self._last - started) * 1000)
