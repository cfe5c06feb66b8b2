"""Small real things that tests feed to the app: graphs, model folders, images, requests."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure.functions as func
import azure.functions.queue
import numpy as np
from PIL import Image

COLOURS = ("Blue", "Green", "Red")  # in the order of a BGR graph's channels


def colour_graph(
    *,
    size: int = 32,
    input_name: str = "Placeholder",
    output_name: str = "model_outputs",
    data_bn: bool = True,
    rank: int = 2,
    width: int = 3,
    channels: int = 3,
    swap: bool = False,
) -> bytes:
    """A frozen graph whose first scores are the softmax of the mean of each input channel.

    Fed BGR as a Custom Vision export is, its labels are therefore Blue, Green, Red.
    """
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, size, size, channels], name=input_name)
        if data_bn:
            pixels = tf.subtract(pixels, tf.constant([104.0, 117.0, 123.0]), name="data_bn/sub")
        means = tf.reduce_mean(pixels, axis=[1, 2]) / 16.0
        weights = np.eye(channels, width, dtype=np.float32)
        if swap:  # the same labels for other colours
            weights = weights[::-1]
        scores = tf.matmul(means, tf.constant(weights))
        loss = tf.nn.softmax(scores, name="loss")
        if rank == 4:
            loss = tf.reshape(loss, [-1, 1, 1, width])
        tf.identity(loss, name=output_name)
    return bytes(graph.as_graph_def().SerializeToString())


def model_folder(
    models: Path,
    name: str = "colours",
    version: int | str = 1,
    *,
    onnx: bytes | None = None,
    graph: bytes | None = None,
    labels: str | None = "\n".join(COLOURS),
    input_spec: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a version folder, ``<name>/<version>/``; None leaves a file out.

    Args:
        models: the root of all models; it may be missing.
        name: the model's name.
        version: its version.
        onnx: contents of ``model.onnx``.
        graph: contents of ``model.pb``, for tests of TensorFlow.
        labels: contents of ``labels.txt``.
        input_spec: contents of ``model.json``.
    """
    folder = models / name / str(version)
    folder.mkdir(parents=True)
    if onnx is not None:
        (folder / "model.onnx").write_bytes(onnx)
    if graph is not None:
        (folder / "model.pb").write_bytes(graph)
    if labels is not None:
        (folder / "labels.txt").write_bytes(labels.encode())
    if input_spec is not None:
        (folder / "model.json").write_text(json.dumps(input_spec))
    return folder


def colour_image(
    colour: str | tuple[int, ...] = "red",
    size: tuple[int, int] = (40, 30),
    *,
    mode: str = "RGB",
    kind: str = "PNG",
    **save: Any,
) -> bytes:
    """An encoded image of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(stream, kind, **save)
    return stream.getvalue()


def noise(size: tuple[int, int], *, seed: int = 0) -> Image.Image:
    """An image in which every pixel differs from the next."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def request(
    method: str = "GET",
    url: str = "http://localhost:7071/api/classify",
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    route_params: Mapping[str, str] | None = None,
) -> func.HttpRequest:
    """A request as the worker hands it to a function."""
    return func.HttpRequest(
        method=method,
        url=url,
        params=params or {},
        headers=headers or {},
        body=body,
        route_params=route_params or {},
    )


def queue_message(
    body: bytes | str, *, id: str | None = "queue-id", dequeue_count: int | None = 1
) -> func.QueueMessage:
    """A message as the worker hands it to a function."""
    kind: Any = azure.functions.queue.QueueMessage  # has no types
    message: func.QueueMessage = kind(id=id, body=body, dequeue_count=dequeue_count)
    return message


def multipart(*files: tuple[str, bytes], boundary: str = "boundary42") -> tuple[str, bytes]:
    """Content type and body of a form with files: (field name, content)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="f.png"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return (
        f"multipart/form-data; boundary={boundary}",
        b"".join(parts) + f"--{boundary}--\r\n".encode(),
    )
