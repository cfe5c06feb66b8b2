"""Runs ``python -m model_server`` as a subprocess, and calls it by the official clients."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import trustme

from tests.support.image_parts import large_photo
from tests.support.servers import ServerProcess, clean_environment, free_port

__all__ = ["Client", "ModelServer", "fill_spec", "photos_request", "tls_config"]

START_SECONDS = 60


class ModelServer(ServerProcess):
    """The server, for the length of a ``with`` block.

    Attributes:
        port: gRPC's.
        rest_url: without a slash at the end.
        process: its process.
        environ: its environment.
    """

    # Longer than the app's: models load before it listens, and calls are drained at its end.
    log_seconds = 20.0
    stop_seconds = 15.0

    def __init__(
        self, *arguments: str, env: Mapping[str, str] | None = None, rest: bool = True
    ) -> None:
        self.port = free_port()
        rest_port = free_port()
        self.rest_url = f"http://127.0.0.1:{rest_port}"
        self.command = [sys.executable, "-m", "model_server", f"--port={self.port}"]
        self.command += [f"--rest_api_port={rest_port}"] if rest else []
        # Also where the settings open all addresses: tests listen on this machine only.
        self.command += ["--address=127.0.0.1", *arguments]
        self.environ = clean_environment(env)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> ModelServer:
        self.launch_and_wait(
            self.command, self.environ, lambda: self.wait_for_log(r"Listening: ", START_SECONDS)
        )
        return self

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(f"{self.rest_url}{path}", timeout=60, **more)

    def post(self, path: str, body: Any, **more: Any) -> requests.Response:
        kind = "json" if isinstance(body, dict) else "data"
        return requests.post(f"{self.rest_url}{path}", timeout=60, **{kind: body}, **more)


class Client:
    """The official stubs on one channel."""

    def __init__(self, address: str, *, channel: Any = None, metadata: Sequence[Any] = ()) -> None:
        import grpc
        from tensorflow_serving.apis import (
            model_service_pb2_grpc,
            prediction_service_pb2_grpc,
        )

        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = channel or grpc.insecure_channel(address, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self._metadata = metadata

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        signature: str = "",
        version: int | None = None,
        label: str = "",
        output_filter: Sequence[str] = (),
    ) -> Any:
        """Calls Predict; the inputs are whatever ``tf.make_tensor_proto`` takes, or protos."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(output_filter=output_filter)
        fill_spec(request.model_spec, model, signature, version, label)
        for name, value in inputs.items():
            is_proto = isinstance(value, tf.make_tensor_proto(0).__class__)
            proto = value if is_proto else tf.make_tensor_proto(value)
            request.inputs[name].CopyFrom(proto)
        return self.prediction.Predict(request, timeout=60, metadata=self._metadata)

    def status(self, model: str, version: int | None = None) -> dict[int, Any]:
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        fill_spec(request.model_spec, model, "", version)
        answer = self.model.GetModelStatus(request, timeout=60, metadata=self._metadata)
        return {each.version: each for each in answer.model_version_status}


def photos_request(count: int) -> Any:
    """A PredictRequest that keeps the model ``digits`` busy for some tenths of a second each."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    fill_spec(request.model_spec, "digits", "bytes")
    request.inputs["image"].CopyFrom(tf.make_tensor_proto([large_photo()] * count))
    return request


def fill_spec(
    spec: Any, model: str, signature: str = "", version: int | None = None, label: str = ""
) -> None:
    spec.name, spec.signature_name = model, signature
    if version is not None:
        spec.version.value = version
    if label:
        spec.version_label = label


def tls_config(folder: Path, authority: trustme.CA, *, client_verify: bool = False) -> Path:
    """A file for ``--ssl_config_file`` with a certificate for localhost."""
    pair = authority.issue_cert("localhost")
    texts = {"server_key": pair.private_key_pem, "server_cert": pair.cert_chain_pems[0]}
    texts |= {"custom_ca": authority.cert_pem} if client_verify else {}
    lines = []
    for name, blob in texts.items():
        escaped = blob.bytes().decode().replace("\n", "\\n")
        lines.append(f'{name}: "{escaped}"')
    path = folder / "ssl.config"
    path.write_text("\n".join([*lines, f"client_verify: {str(client_verify).lower()}"]))
    return path
