"""Lists the preprocessing of well-known networks, by the names that Keras uses."""

from __future__ import annotations

from dataclasses import dataclass

from image_classifier.model_files.input_spec import CHANNELS, RESIZE_METHODS, InputSpec
from tools.shared.errors import ToolError

__all__ = ["PRESETS", "preset"]


@dataclass(frozen=True)
class _Preset:
    meaning: str
    channels: str = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float | tuple[float, float, float] = 1.0


PRESETS = {
    "none": _Preset("0..255, as the pixels are; networks with a Rescaling layer of their own"),
    "0-1": _Preset("0..1", scale=1 / 255),
    "tf": _Preset(
        "-1..1: Inception, Xception, MobileNet, NASNet, ResNetV2",
        mean=(127.5, 127.5, 127.5),
        scale=1 / 127.5,
    ),
    "caffe": _Preset(
        "B, G, R minus ImageNet's mean: ResNet, VGG",
        channels="BGR",
        mean=(103.939, 116.779, 123.68),
    ),
    "torch": _Preset(
        "R, G, B minus ImageNet's mean, by its deviation: DenseNet, PyTorch's networks",
        mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
        scale=(1 / (0.229 * 255), 1 / (0.224 * 255), 1 / (0.225 * 255)),
    ),
}


def preset(
    name: str,
    *,
    size: tuple[int, int],
    resize: str = "crop",
    channels: str | None = None,
) -> InputSpec:
    """Makes the input specification of a network with a known preprocessing.

    Args:
        name: a key of ``PRESETS``.
        size: height and width in pixels.
        resize: "crop", "stretch", "custom_vision" or "accel".
        channels: "RGB", "BGR" or "GRAY"; None takes those of the preset.

    Raises:
        ToolError: there is no such preset, resize or order of channels.
    """
    if name not in PRESETS:
        raise ToolError(f"There is no preprocessing {name!r}; there are: {', '.join(PRESETS)}.")
    chosen = PRESETS[name]
    order = channels or chosen.channels
    if order not in CHANNELS or resize not in RESIZE_METHODS:
        raise ToolError(
            f"channels must be one of {', '.join(CHANNELS)}, resize one of "
            f"{', '.join(RESIZE_METHODS)}."
        )
    if order == "GRAY" and name in ("caffe", "torch"):
        raise ToolError(f"The preprocessing {name!r} has a mean for each of three channels.")
    return InputSpec(
        input_name="input",
        output_name="output",
        height=size[0],
        width=size[1],
        channels=order,
        mean=chosen.mean[: CHANNELS[order]],
        scale=chosen.scale,
        resize=resize,
    )
