"""Runs the process: loads models, opens the endpoints, ends in good order."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import uvicorn
from google.protobuf import text_format

from image_classifier import Settings
from image_classifier.models.serving_config import ModelConfig, read_model_config
from image_classifier.observability import telemetry
from image_classifier.observability.exporters import configure_exporters
from model_server.flags import FlagError, Flags, channel_arguments
from model_server.grpc import messages
from model_server.grpc.model_service import ModelService
from model_server.grpc.prediction_service import PredictionService
from model_server.grpc.server import GrpcServer
from model_server.metrics import Metrics
from model_server.rest.application import METRICS_PATH, RestApplication
from model_server.served_models import ServedModels

__all__ = ["run"]

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 10.0
_BACKLOG = 2048


def run(flags: Flags, settings: Settings) -> int:
    """Serves until a signal ends it.

    Raises:
        FlagError: a file, a port or a model that a flag names cannot be used.
    """
    address = flags.address or _address(settings)
    models = _models(flags)
    credentials = _credentials(flags)
    metrics_path = _metrics_path(flags)
    arguments = channel_arguments(flags.grpc_channel_arguments)
    metrics = Metrics()
    telemetry.subscribe(metrics)
    configure_exporters(os.environ)
    with _reserved(address, [flags.port]), _rest_socket(address, flags.rest_api_port) as rest:
        served = ServedModels(
            settings,
            models,
            metrics,
            poll_seconds=flags.file_system_poll_wait_seconds,
            allow_unavailable_labels=flags.allow_version_labels_for_unavailable_models,
        )
        print(f"Loading {', '.join(served.names)} …", flush=True)
        served.start()
    if flags.model_config_file and flags.model_config_file_poll_wait_seconds > 0:
        path, poll_seconds = (
            Path(flags.model_config_file),
            flags.model_config_file_poll_wait_seconds,
        )
        served.follow(path, root=Path.cwd(), poll_seconds=poll_seconds)
    grpc_server = GrpcServer(
        {
            "tensorflow.serving.PredictionService": PredictionService(
                served.serving, as_content=flags.enable_serialization_as_tensor_content
            ),
            "tensorflow.serving.ModelService": ModelService(served.serving, served),
        },
        settings,
        metrics,
        threads=flags.grpc_max_threads,
        arguments=arguments,
        with_health=flags.enable_grpc_healthcheck_service,
    )
    places = []
    if flags.port:
        places.append(f"gRPC on {address}:{flags.port}{' with TLS' if credentials else ''}")
        _listen(grpc_server, f"{_bracketed(address)}:{flags.port}", credentials)
    if flags.grpc_socket_path:
        places.append(f"gRPC on {flags.grpc_socket_path}")
        _listen(grpc_server, f"unix:{flags.grpc_socket_path}", None)
    if rest is not None:
        places.append(f"REST on http://{address}:{flags.rest_api_port}/v1/models")
        _open(rest)
    grpc_server.start()
    grpc_server.set_ready(served.is_ready())
    _say(served, places, settings)
    rest_application = RestApplication(
        served.serving,
        metrics,
        threads=flags.rest_api_num_threads,
        timeout_seconds=flags.rest_api_timeout_in_ms / 1000,
        metrics_path=metrics_path,
        cors=flags.rest_api_enable_cors_support,
    )
    try:
        _serve_until_stopped(rest_application, rest, grpc_server, served)
    finally:
        grpc_server.stop(_GRACE_SECONDS)
        served.close()
    print("Stopped.", flush=True)
    return 0


def _address(settings: Settings) -> str:
    """Chooses the address: this machine only, unless the settings say who may call."""
    everywhere = "0.0.0.0"  # noqa: S104 - as TensorFlow Serving, once callers were thought about
    return everywhere if settings.api_keys or settings.allow_anonymous else "127.0.0.1"


def _models(flags: Flags) -> Sequence[ModelConfig]:
    if not flags.model_config_file:
        return (ModelConfig(flags.model_name, Path(flags.model_base_path)),)
    path = Path(flags.model_config_file)
    try:
        models = read_model_config(path.read_text("utf-8-sig"), where=str(path), root=Path.cwd())
    except (OSError, ValueError) as exc:
        raise FlagError(f"--model_config_file: {exc}") from exc
    if not models:
        raise FlagError(f"--model_config_file: {path} lists no model.")
    return models


def _credentials(flags: Flags) -> grpc.ServerCredentials | None:
    if not flags.ssl_config_file:
        return None
    config = _text_message(flags.ssl_config_file, "ssl_config_file", messages.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise FlagError("--ssl_config_file: it needs server_key and server_cert, as PEM text.")
    if config.client_verify and not config.custom_ca:
        raise FlagError("--ssl_config_file: client_verify needs custom_ca, as PEM text.")
    credentials = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        config.client_verify,
    )
    try:  # gRPC reads the PEM texts only when it opens a port
        grpc.server(ThreadPoolExecutor(1)).add_secure_port("127.0.0.1:0", credentials)
    except RuntimeError as exc:
        raise FlagError(
            f"--ssl_config_file: {flags.ssl_config_file} has no key and certificate that belong "
            "together. server_key and server_cert are whole PEM texts; a line ends with \\n."
        ) from exc
    return credentials


def _metrics_path(flags: Flags) -> str | None:
    if not flags.monitoring_config_file:
        return None
    name = "monitoring_config_file"
    config = _text_message(flags.monitoring_config_file, name, messages.MonitoringConfig())
    if not config.prometheus_config.enable:
        return None
    if not flags.rest_api_port:
        raise FlagError(f"--{name}: the metrics are served over REST: give --rest_api_port too.")
    return str(config.prometheus_config.path) or METRICS_PATH


def _text_message(path: str, flag: str, message: Any) -> Any:
    try:
        return text_format.Parse(Path(path).read_text("utf-8-sig"), message)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as exc:
        raise FlagError(f"--{flag}: {path} cannot be read: {exc}") from exc


@contextmanager
def _reserved(address: str, ports: Sequence[int]) -> Iterator[None]:
    """Checks before models are loaded that the ports are free."""
    sockets = [_socket(address, port) for port in ports if port]
    try:
        yield
    finally:
        for each in sockets:
            each.close()


@contextmanager
def _rest_socket(address: str, port: int) -> Iterator[socket.socket | None]:
    """Opens the socket of the REST endpoint, which answers later."""
    rest = _socket(address, port) if port else None
    try:
        yield rest
    except BaseException:
        if rest is not None:
            rest.close()
        raise


def _socket(address: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        # The protocol must be named, or asyncio leaves Nagle's algorithm on.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as exc:
        raise FlagError(f"--address={address} cannot be used: {exc}.") from exc
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(place)
    except OSError as exc:
        made.close()
        raise FlagError(
            f"Port {port} of {address} cannot be used: {exc.strerror}. Is another server on it? "
            "Choose another with --port or --rest_api_port."
        ) from exc
    return made


def _listen(endpoint: GrpcServer, address: str, credentials: grpc.ServerCredentials | None) -> None:
    try:
        endpoint.listen(address, credentials)
    except RuntimeError as exc:
        raise FlagError(
            f"gRPC cannot listen on {address}; its own words are above. Choose another place with "
            "--port or --grpc_socket_path."
        ) from exc


def _open(rest: socket.socket) -> None:
    try:
        rest.listen(_BACKLOG)
    except OSError as exc:  # two servers that start together can both reserve a port
        raise FlagError(
            f"REST cannot listen: {exc.strerror}. Choose another port with --rest_api_port."
        ) from exc


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _say(served: ServedModels, places: Sequence[str], settings: Settings) -> None:
    for line in served.describe():
        print(line, flush=True)
    keys = "each call needs one of the API_KEYS" if settings.api_keys else "no key is asked for"
    print(f"Listening: {'; '.join(places)}; {keys}. Ctrl+C ends it.", flush=True)


def _serve_until_stopped(
    rest_application: RestApplication,
    rest: socket.socket | None,
    grpc_server: GrpcServer,
    served: ServedModels,
) -> None:
    """Runs the REST endpoint, if there is one, and keeps the health service up to date."""
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(0.5):
            grpc_server.set_ready(served.is_ready())

    threading.Thread(target=watch, name="health", daemon=True).start()
    try:
        if rest is not None:
            config = uvicorn.Config(
                rest_application,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=int(_GRACE_SECONDS),
                server_header=False,
            )
            uvicorn.Server(config).run(sockets=[rest])
        else:
            _wait_for_signal()
    except KeyboardInterrupt:
        pass  # uvicorn raises Ctrl+C again once it has ended in good order
    finally:
        stopped.set()


def _wait_for_signal() -> None:
    told = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    told.wait()
