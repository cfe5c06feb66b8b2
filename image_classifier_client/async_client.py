"""Provides the client for asyncio: each call is awaited; notebooks can do that in a cell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar, overload

import grpc
import grpc.aio
from numpy.typing import ArrayLike

from image_classifier_client import calls
from image_classifier_client.base_client import CLOSED, BaseClient
from image_classifier_client.calls import Call, Names
from image_classifier_client.images import Image, file_bytes
from image_classifier_client.results import Classification, ModelMetadata, VersionStatus
from image_classifier_client.tensors import Array

__all__ = ["AsyncPredictionClient"]

T = TypeVar("T")


class AsyncPredictionClient(BaseClient):
    """Asks a model server. Its methods take the arguments of ``PredictionClient``, and are awaited.

    It connects with the first call, and may be made before there is an event loop. In another loop,
    as of a second ``asyncio.run``, it connects anew.

        async with AsyncPredictionClient("localhost", 8500) as client:
            print(await client.classify("cat.jpg"))
    """

    async def __aenter__(self) -> AsyncPredictionClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; running calls end with a ValueError."""
        self._is_closed = True
        if self._channel is not None and self._loop is asyncio.get_running_loop():
            await self._channel.close()

    @overload
    async def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str = ...,
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    async def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str = ...,
        *,
        outputs: Names,
        timeout: float | None = ...,
    ) -> list[Array]: ...
    @overload
    async def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str,
        outputs: Names,
        timeout: float | None = ...,
    ) -> list[Array]: ...
    async def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str = "images",
        outputs: str | Names | None = None,
        timeout: float | None = None,
    ) -> Array | list[Array]:
        """Sends the bytes of an image file.

        Args:
            path: of the file.
            input_name: of the model; an image classifier takes any.
            outputs: the name of one, or a list of names; None means the only one, or
                ``probabilities`` among several.
            timeout: seconds; None means the client's.

        Returns:
            An array without the dimension of the batch, such as the probabilities [number of
            labels]; a list of them for a list of names.

        Raises:
            PredictionError: see ``errors``.
            OSError: the file cannot be read.
        """
        return await self._score_image(os.fspath(path), input_name, outputs, timeout)

    @overload
    async def score_image(
        self,
        image: Image,
        input_name: str = ...,
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    async def score_image(
        self, image: Image, input_name: str = ..., *, outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    @overload
    async def score_image(
        self, image: Image, input_name: str, outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    async def score_image(
        self,
        image: Image,
        input_name: str = "images",
        outputs: str | Names | None = None,
        timeout: float | None = None,
    ) -> Array | list[Array]:
        """Sends an image; otherwise as ``score_file``.

        Args:
            image: the bytes of an image file, its path, a Pillow image, or pixels: uint8, [height,
                width] or [height, width, channels], RGB.
            input_name: likewise.
            outputs: likewise.
            timeout: likewise.
        """
        return await self._score_image(image, input_name, outputs, timeout)

    @overload
    async def score_numpy_arrays(
        self,
        input_map: Mapping[str, ArrayLike],
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    async def score_numpy_arrays(
        self, input_map: Mapping[str, ArrayLike], outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    async def score_numpy_arrays(
        self,
        input_map: Mapping[str, ArrayLike],
        outputs: str | Names | None = None,
        timeout: float | None = None,
    ) -> Array | list[Array]:
        """Sends arrays, the graph's own inputs: for an image classifier a batch of floats.

        Args:
            input_map: an array for each input. Python's own numbers go as float32 and int32.
            outputs: the name of one, or a list of names; None means the only one.
            timeout: seconds; None means the client's.

        Returns:
            An array as the model gives it, texts as an object array of bytes; a list of them for
            a list of names.

        Raises:
            PredictionError: see ``errors``.
        """
        return await self._ask(calls.score(self._connection, input_map, outputs), timeout)

    async def classify(
        self, image: Image, top: int = 5, timeout: float | None = None
    ) -> list[Classification]:
        """Classifies an image, whatever signature the client has.

        Args:
            image: as for ``score_image``.
            top: how many labels.
            timeout: seconds; None means the client's.

        Returns:
            The labels and their probabilities, the most probable first.

        Raises:
            PredictionError: see ``errors``; InvalidInput if the model is no image classifier.
            OSError: the file cannot be read.
        """
        file = await asyncio.to_thread(file_bytes, image)
        return await self._ask(calls.classify(self._connection, file, top), timeout)

    async def metadata(self, timeout: float | None = None) -> ModelMetadata:
        """Returns the model's name, version and signatures; raises PredictionError."""
        return await self._ask(calls.metadata(self._connection), timeout)

    async def status(self, timeout: float | None = None) -> list[VersionStatus]:
        """Returns the status of the model's versions, the highest first; raises PredictionError."""
        return await self._ask(calls.status(self._connection), timeout)

    async def _score_image(
        self, image: Image, input_name: str, outputs: str | Names | None, timeout: float | None
    ) -> Array | list[Array]:
        inputs = {input_name: [await asyncio.to_thread(file_bytes, image)]}
        call = calls.score(self._connection, inputs, outputs, is_one_image=True)
        return await self._ask(call, timeout)

    async def _ask(self, call: Call[T], timeout: float | None) -> T:
        metadata, attempts = self._connection.metadata, self._connection.attempts(timeout)
        while True:
            method = self._open().unary_unary(
                call.method,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=call.response_class.FromString,
            )
            try:
                sent = method(call.request, timeout=attempts.seconds_left(), metadata=metadata)
                answer = await self._answer(sent)
            except grpc.RpcError as exc:
                pause = attempts.pause_after(exc)
            else:
                return call.read(answer)
            await asyncio.sleep(pause)

    async def _answer(self, sent: Any) -> Any:
        """Waits for a call of gRPC's.

        ``close`` cancels it, which must not look as if the waiting task had been cancelled: so
        the call has a task of its own. (Only from Python 3.11 on does a task know which it was.)
        """
        answer: Any
        (answer,) = await asyncio.gather(sent, return_exceptions=True)
        try:
            if isinstance(answer, asyncio.CancelledError) and self._is_closed:
                raise ValueError(CLOSED)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        finally:
            del answer  # an error would hold the frames that hold it, and the request

    def _open(self) -> Any:
        """Returns the channel of the running loop: a channel of gRPC belongs to one loop."""
        if self._is_closed:
            raise ValueError(CLOSED)
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._channel, self._loop = self._connection.channel(grpc.aio), loop
        return self._channel
