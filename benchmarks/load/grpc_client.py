"""Sends PredictRequests on one gRPC channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from benchmarks.load.plan import ADDRESS, PATIENCE_SECONDS, Ask, BadAnswer, Load, check_answer
from model_server.grpc import messages

__all__ = ["PREDICT", "open_grpc"]

PREDICT = "/tensorflow.serving.PredictionService/Predict"


@asynccontextmanager
async def open_grpc(load: Load) -> AsyncIterator[Ask]:
    """Yields the function that sends the load's file, a serialized PredictRequest."""
    request = Path(load.file).read_bytes()  # noqa: ASYNC240 - before the load begins
    async with grpc.aio.insecure_channel(f"{ADDRESS}:{load.port}") as channel:
        call = channel.unary_unary(PREDICT)  # bytes as they are

        async def ask() -> None:
            try:
                answer = messages.PredictResponse.FromString(
                    await call(request, timeout=PATIENCE_SECONDS)
                )
                label = answer.outputs["label"].string_val[0].decode()
                probability = max(answer.outputs["probabilities"].float_val)
            except Exception as exc:  # an answer of another form, or any error that gRPC has
                raise BadAnswer(f"{type(exc).__name__}: {exc}") from exc
            check_answer(load, label, probability)

        yield ask
