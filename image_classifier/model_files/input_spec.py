"""Reads the input specification of a graph from ``model.json``: names, size, preprocessing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.errors import ModelError

__all__ = [
    "CAFFE_MEAN_BGR",
    "CHANNELS",
    "INPUT_SPEC_FILE",
    "RESIZE_METHODS",
    "SHORTER_SIDE",
    "InputSpec",
    "parse_input_spec",
    "read_input_spec",
]

# The file in a version folder.
INPUT_SPEC_FILE = "model.json"

# Mean of the ImageNet images, B, G, R: graphs without data_bn nodes expect it subtracted.
CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)

CHANNELS = {"BGR": 3, "RGB": 3, "GRAY": 1}
RESIZE_METHODS = ("custom_vision", "crop", "stretch", "accel")
# In pixels, with "accel": the image is resized to it, and the graph's size is cut out.
SHORTER_SIDE = 256

_EXAMPLE = (
    '{"input": "input:0", "output": "output:0", "size": [224, 224], "resize": "crop", '
    '"channels": "RGB", "mean": [0, 0, 0], "scale": 1.0}'
)


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The tensors of a graph and the preprocessing that its weights were trained with.

    Attributes:
        input_name: tensor that takes float32 [N, height, width, channels].
        output_name: tensor that gives float32 [N, number of labels].
        height: pixels.
        width: pixels.
        channels: "BGR", "RGB" or "GRAY".
        mean: subtracted from each channel, in the order of ``channels``, in units of 0..255.
        scale: factor after the mean is subtracted (1 / 127.5 with a mean of 127.5 gives -1..1);
            or one for each channel, in the order of ``channels``.
        resize: "custom_vision" (the exporter's), "crop" (shorter side to size, centre cut out),
            "stretch" (to size, whatever the shape) or "accel" (shorter side to 256 as TensorFlow 1
            resizes, centre cut out; what Azure ML's accelerated models were trained with).
    """

    input_name: str
    output_name: str
    height: int
    width: int
    channels: str = "BGR"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: float | tuple[float, ...] = 1.0
    resize: str = "custom_vision"

    def as_dict(self) -> dict[str, Any]:
        """The content of ``model.json``; ``parse_input_spec`` reads it back."""
        return {
            "input": self.input_name,
            "output": self.output_name,
            "size": [self.height, self.width],
            "resize": self.resize,
            "channels": self.channels,
            "mean": list(self.mean),
            "scale": list(self.scale) if isinstance(self.scale, tuple) else self.scale,
        }


def read_input_spec(path: Path) -> InputSpec:
    """Reads a ``model.json``.

    Raises:
        ModelError: the file cannot be read, or a key is missing, unknown or has a wrong value.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelError(f"{path} cannot be read as JSON: {exc}.") from exc
    return parse_input_spec(text, where=str(path))


def parse_input_spec(text: str, *, where: str) -> InputSpec:
    """Reads the JSON of a ``model.json``.

    Args:
        text: the JSON.
        where: the file, for the error message.

    Raises:
        ModelError: it is not JSON, or a key is missing, unknown or has a wrong value.
    """
    try:
        return _input_spec_from(json.loads(text))
    except json.JSONDecodeError as exc:
        raise ModelError(f"{where} cannot be read as JSON: {exc}.") from exc
    except (KeyError, TypeError, ValueError) as exc:
        reason = f"the key {exc} is missing" if isinstance(exc, KeyError) else str(exc)
        raise ModelError(f"{where}: {reason}. It should look like {_EXAMPLE}.") from exc


def _input_spec_from(data: Any) -> InputSpec:
    if not isinstance(data, dict):
        raise ValueError("it must be a JSON object")
    known = {"input", "output", "size", "resize", "channels", "mean", "scale"}
    if unknown := sorted(set(data) - known):
        raise ValueError(f"unknown keys {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    height, width = _size(data["size"])
    resize = _one_of("resize", data.get("resize", "crop"), RESIZE_METHODS)
    if resize == "accel" and max(height, width) > SHORTER_SIDE:
        raise ValueError(f"size must be at most {SHORTER_SIDE} with resize accel")
    channels = _one_of("channels", data.get("channels", "RGB"), tuple(CHANNELS))
    mean = data.get("mean", [0.0] * CHANNELS[channels])
    if not isinstance(mean, list) or len(mean) != CHANNELS[channels]:
        raise ValueError(f"mean must be a list of {CHANNELS[channels]} numbers, one a channel")
    return InputSpec(
        input_name=_tensor_name(data["input"]),
        output_name=_tensor_name(data["output"]),
        height=height,
        width=width,
        channels=channels,
        mean=tuple(float(value) for value in mean),
        scale=_scale(data.get("scale", 1.0), CHANNELS[channels]),
        resize=resize,
    )


def _size(value: Any) -> tuple[int, int]:
    match value:
        case [int(height), int(width)] if 0 < height <= 4096 and 0 < width <= 4096:
            return height, width
        case int(side) if 0 < side <= 4096:
            return side, side
    raise ValueError("size must be [height, width] in pixels, 1 to 4096")


def _scale(value: Any, channels: int) -> float | tuple[float, ...]:
    if not isinstance(value, list):
        return float(value)
    if len(value) != channels:
        raise ValueError(f"scale must be a number, or a list of {channels} numbers, one a channel")
    return tuple(float(each) for each in value)


def _one_of(key: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{key} is {value!r}, it must be one of {', '.join(allowed)}")
    return str(value)


def _tensor_name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("input and output must be names of tensors, such as input:0")
    return value if ":" in value else f"{value}:0"
