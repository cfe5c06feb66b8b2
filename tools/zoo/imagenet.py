"""What is downloaded for a network: ImageNet's weights and the names of its classes."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from image_classifier.engines.base import first_line
from tools.shared.errors import ToolError

# TensorFlow's start-up chatter (CPU features, no GPU) is not about any network.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__all__ = [
    "CLASSES",
    "bounded_waits",
    "imagenet_labels",
    "load_weights",
    "numbered",
    "with_weights",
]

CLASSES = 1000  # of ImageNet's challenge, which all these networks were trained for
LABELS_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
DOWNLOAD_TIMEOUT_SECONDS = 10  # without a byte; then the other side counts as not there


@contextmanager
def bounded_waits() -> Iterator[None]:
    """Downloads by libraries that know no time limit end soon where there is no network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def with_weights(make: Callable[..., Any], weights: str, **options: Any) -> Any:
    """Makes a network of ``keras.applications`` and gives it its weights.

    Args:
        make: one of its functions.
        weights: "imagenet" (downloaded once, by Keras), "none" (random), or a file that Keras
            wrote for this very network.
        options: for ``make``.

    Raises:
        ToolError: they cannot be downloaded or read, or are of another network.
    """
    if weights == "imagenet":
        try:
            with bounded_waits():
                return make(weights=weights, **options)
        except Exception as exc:  # Keras raises a bare Exception for a failed download
            raise ToolError(
                f"The ImageNet weights cannot be downloaded ({first_line(exc)}). Try again with a "
                "network, name a file that you have with --weights FILE, or see how it works with "
                "random ones: --weights none."
            ) from exc
    if weights != "none" and not Path(weights).is_file():
        raise ToolError(
            f"{weights} is no file with weights: name one (.h5, .weights.h5), or say imagenet or "
            "none."
        )
    network = make(weights=None, **options)
    if weights != "none":
        load_weights(network, weights)
    return network


def load_weights(network: Any, path: str) -> None:
    """Reads weights from a file that Keras wrote.

    Raises:
        ToolError: there is no such file, or it is another network's.
    """
    if not Path(path).is_file():
        raise ToolError(f"{path} is no file with weights.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it then raises
            network.load_weights(path)
    except (ValueError, OSError, KeyError) as exc:
        raise ToolError(f"{path} does not fit this network: {first_line(exc)}.") from exc


def imagenet_labels(report: Callable[[str], None] = print) -> list[str]:
    """ImageNet's 1000 names, each once; numbers if the list cannot be downloaded.

    Args:
        report: hears that it could not.
    """
    import keras

    try:
        with bounded_waits():
            path = keras.utils.get_file("imagenet_class_index.json", LABELS_URL)
        listed = json.loads(Path(path).read_text("utf-8"))
    except Exception as exc:  # Keras raises a bare Exception for a failed download
        report(f"The names of ImageNet's classes cannot be downloaded ({exc}): numbers instead.")
        return numbered(CLASSES)
    labels: list[str] = []
    for index in range(len(listed)):
        code, name = listed[str(index)]
        labels.append(name if name not in labels else f"{name} ({code})")  # there are two cranes
    return labels


def numbered(count: int) -> list[str]:
    """Labels for classes that have no names."""
    return [f"class {index}" for index in range(count)]
