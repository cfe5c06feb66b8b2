"""Runs the gRPC server: services, keys, health, TLS, sockets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from image_classifier.authentication import first_key, verify_key
from image_classifier.errors import Unauthorized
from image_classifier.observability import telemetry
from image_classifier.protocols.tf_serving.errors import HTTP_STATUS, Code, ServingError
from image_classifier.settings import Settings
from model_server.grpc.health import HEALTH_PATH, HealthService
from model_server.grpc.messages import SERVICES
from model_server.metrics import Metrics

__all__ = ["GrpcServer"]

logger = logging.getLogger(__name__)

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LONGEST_MESSAGE_BYTES = 1024
# Messages of any size, unless --grpc_channel_arguments says otherwise: a batch of eight images
# as floats is larger than gRPC's own 4 MB.
_OPTIONS = {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.so_reuseport": 0,  # or a second server on the port would get half of the calls
}


class GrpcServer:
    """A gRPC server.

    Args:
        services: for each full name an object with the service's methods, which take a request and
            its metadata.
        settings: the keys.
        metrics: counts calls.
        threads: calls answered at once.
        arguments: channel arguments.
    """

    def __init__(
        self,
        services: dict[str, object],
        settings: Settings,
        metrics: Metrics,
        *,
        threads: int,
        arguments: dict[str, int | str] | None = None,
        with_health: bool = True,
    ) -> None:
        interceptors = [_Keys(settings)] if settings.api_keys else []
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            interceptors=interceptors,
            options=list({**_OPTIONS, **(arguments or {})}.items()),
        )
        for name, service in services.items():
            handlers = {
                method: grpc.unary_unary_rpc_method_handler(
                    _behaviour(getattr(service, method), kinds[0], name, method, metrics)
                )
                for method, kinds in SERVICES[name].items()
            }
            generic = grpc.method_handlers_generic_handler(name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._health = HealthService(self._server) if with_health else None
        self._server.add_generic_rpc_handlers((_Unknown(),))

    def listen(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Opens an address, such as ``127.0.0.1:8500`` or ``unix:/tmp/socket``.

        Returns:
            The port.

        Raises:
            RuntimeError: it cannot be opened.
        """
        if credentials is None:
            return int(self._server.add_insecure_port(address))
        return int(self._server.add_secure_port(address, credentials))

    def set_ready(self, ready: bool) -> None:
        """Sets the answer of the health service for all services."""
        if self._health is not None:
            self._health.set_ready(ready)

    def start(self) -> None:
        """Starts to answer calls."""
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Refuses new calls and waits for the running ones."""
        self.set_ready(False)
        self._server.stop(grace_seconds).wait()


def _behaviour(
    method: Callable[[Any, Mapping[str, str]], Any],
    kind: Any,
    service: str,
    name: str,
    metrics: Metrics,
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    """Wraps a method from bytes to bytes, so that the record covers all; translates errors.

    Args:
        method: takes a request and the metadata.
        kind: the message that a request must be.
        service: its full name.
        name: the method's.
        metrics: counts calls.
    """

    def call(data: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = _texts_of(context.invocation_metadata())
        with _recorded(service, name, metadata) as record:
            try:
                request = kind.FromString(data)
                with metrics.measured(_model_of(request), name, "GRPC"):
                    answer = method(request, metadata)
                reply: bytes = answer.SerializeToString()
            except ServingError as exc:
                error = exc
            except DecodeError:
                # The code that gRPC's specification requires.
                error = ServingError(
                    Code.INTERNAL, f"The request is no message {kind.DESCRIPTOR.full_name}."
                )
            except Exception:
                logger.exception("a bug, answered with INTERNAL")
                error = ServingError(
                    Code.INTERNAL,
                    "Something went wrong inside the server. Its log has the details.",
                )
            else:
                _tell(record, _heard(context))
                return reply
            _tell(record, error.code)
        context.abort(_CODES[error.code], _shortened(error.message))
        raise AssertionError("abort raises")

    return call


def _heard(context: grpc.ServicerContext) -> Code:
    """OK, or the code that the caller has received already, who then gets no answer."""
    if context.is_active():
        return Code.OK
    left = context.time_remaining()
    return Code.DEADLINE_EXCEEDED if left is not None and left <= 0 else Code.CANCELLED


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Refuses calls of unknown methods as gRPC would, and logs them."""

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        # As a stream, because that waits for no request.
        return grpc.stream_unary_rpc_method_handler(
            _refusal(details, Code.UNIMPLEMENTED, "Method not found!")
        )


def _refusal(details: Any, code: Code, message: str) -> Callable[[Any, grpc.ServicerContext], None]:
    """Answers a call that reaches no method with an error, and logs it."""
    service, _, method = details.method.lstrip("/").partition("/")
    if method not in SERVICES.get(service, ()):
        service, method = "unknown", "unknown"

    def refuse(request: Any, context: grpc.ServicerContext) -> None:
        with _recorded(service, method, _texts_of(details.invocation_metadata)) as record:
            _tell(record, code)
        context.abort(_CODES[code], message)

    return refuse


def _texts_of(metadata: Any) -> dict[str, str]:
    """Reads the metadata of a call, with lower-case names and without binary values."""
    return {name: value for name, value in metadata if isinstance(value, str)}


def _recorded(
    service: str, method: str, metadata: Mapping[str, str]
) -> AbstractContextManager[telemetry.Record]:
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    return telemetry.request(
        "grpc", f"{service}/{method}", attributes=attributes, header=metadata.get
    )


def _tell(record: telemetry.Record, code: Code) -> None:
    record.status = HTTP_STATUS[code]
    if code != Code.OK:
        record.outcome = code.name


def _shortened(message: str) -> str:
    """Cuts a message as TensorFlow Serving does: clients refuse answers with too long headers."""
    data = message.encode()
    if len(data) <= _LONGEST_MESSAGE_BYTES:
        return message
    return data[:_LONGEST_MESSAGE_BYTES].decode(errors="ignore") + "...TRUNCATED"


def _model_of(request: Any) -> str:
    spec = getattr(request, "model_spec", None)
    if spec is None:
        tasks: Sequence[Any] = getattr(request, "tasks", ())
        spec = tasks[0].model_spec if tasks else None
    return "" if spec is None else str(spec.name)


class _Keys(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without a key; the health service answers everybody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        if details.method.startswith(HEALTH_PATH):
            return continuation(details)
        sent = _texts_of(details.invocation_metadata)
        given = first_key(
            sent.get("x-functions-key"), sent.get("prediction-key"), sent.get("authorization")
        )
        try:
            verify_key(given, self._settings)
        except Unauthorized as exc:
            return grpc.unary_unary_rpc_method_handler(
                _refusal(details, Code.UNAUTHENTICATED, exc.message)
            )
        return continuation(details)
