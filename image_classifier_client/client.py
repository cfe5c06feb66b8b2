"""Provides the client for programs and notebooks: each call waits for its answer."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar, overload

import grpc
from numpy.typing import ArrayLike

from image_classifier_client import calls
from image_classifier_client.base_client import CLOSED, BaseClient
from image_classifier_client.calls import Call, Names
from image_classifier_client.images import Image, file_bytes
from image_classifier_client.results import Classification, ModelMetadata, VersionStatus
from image_classifier_client.tensors import Array

__all__ = ["PredictionClient"]

T = TypeVar("T")


class PredictionClient(BaseClient):
    """Asks a model server. Safe to share among threads; it connects with the first call.

        PredictionClient("localhost", 8500).classify("cat.jpg")

    Args:
        address: name or IP address of the server, also ``name:port``, or ``unix:/path/of/socket``.
        port: None means that in the address, or else 443 with TLS and 80 without.
        use_ssl: TLS.
        access_token: one of the server's keys.
        service_name: the model, for servers that know it as a service.
        model: the model; "" means ``service_name``, or the server's default.
        signature: of the model; "" means the one that takes the inputs.
        timeout: seconds for a call, its retries included, where the call does not say.
        retries: attempts after the first, where the server is not available or busy.
        root_certificates: trusted authorities with TLS, PEM as bytes or a file's path; None means
            those that gRPC brings.

    Raises:
        ValueError: an argument is invalid; the message says which.
        OSError: the file with the root certificates cannot be read.
    """

    def __enter__(self) -> PredictionClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection and running calls."""
        with self._lock:
            self._is_closed = True
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    @overload
    def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str = ...,
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str = ...,
        *,
        outputs: Names,
        timeout: float | None = ...,
    ) -> list[Array]: ...
    @overload
    def score_file(
        self,
        path: str | os.PathLike[str],
        input_name: str,
        outputs: Names,
        timeout: float | None = ...,
    ) -> list[Array]: ...
    def score_file(
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
        return self._score_image(os.fspath(path), input_name, outputs, timeout)

    @overload
    def score_image(
        self,
        image: Image,
        input_name: str = ...,
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    def score_image(
        self, image: Image, input_name: str = ..., *, outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    @overload
    def score_image(
        self, image: Image, input_name: str, outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    def score_image(
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
        return self._score_image(image, input_name, outputs, timeout)

    @overload
    def score_numpy_arrays(
        self,
        input_map: Mapping[str, ArrayLike],
        outputs: str | None = ...,
        timeout: float | None = ...,
    ) -> Array: ...
    @overload
    def score_numpy_arrays(
        self, input_map: Mapping[str, ArrayLike], outputs: Names, timeout: float | None = ...
    ) -> list[Array]: ...
    def score_numpy_arrays(
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
        return self._ask(calls.score(self._connection, input_map, outputs), timeout)

    def classify(
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
        return self._ask(calls.classify(self._connection, file_bytes(image), top), timeout)

    def metadata(self, timeout: float | None = None) -> ModelMetadata:
        """Returns the model's name, version and signatures; raises PredictionError."""
        return self._ask(calls.metadata(self._connection), timeout)

    def status(self, timeout: float | None = None) -> list[VersionStatus]:
        """Returns the status of the model's versions, the highest first; raises PredictionError."""
        return self._ask(calls.status(self._connection), timeout)

    def _score_image(
        self, image: Image, input_name: str, outputs: str | Names | None, timeout: float | None
    ) -> Array | list[Array]:
        inputs = {input_name: [file_bytes(image)]}
        call = calls.score(self._connection, inputs, outputs, is_one_image=True)
        return self._ask(call, timeout)

    def _ask(self, call: Call[T], timeout: float | None) -> T:
        connection = self._connection
        attempts = connection.attempts(timeout)
        while True:
            method = self._open().unary_unary(
                call.method,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=call.response_class.FromString,
            )
            try:
                answer = method(
                    call.request, timeout=attempts.seconds_left(), metadata=connection.metadata
                )
            except grpc.RpcError as exc:
                pause = attempts.pause_after(exc)
            else:
                return call.read(answer)
            time.sleep(pause)

    def _open(self) -> Any:
        with self._lock:
            if self._is_closed:
                raise ValueError(CLOSED)
            if self._channel is None:
                self._channel = self._connection.channel(grpc)
            return self._channel
