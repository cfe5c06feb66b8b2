"""``metadata_properties.json``: what the exporter says of preprocessing. The graph decides, though.

Every value in it is a text, numbers too (``"224.0"``) and nothing (``"null"``). What it says of
pixels and resizing contradicts the exporter's own scripts, so it is only shown and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.model_files.cvexport_manifest import json_object
from image_classifier.model_files.input_spec import InputSpec

__all__ = ["Metadata", "parse_metadata"]

_PREFIX = "CustomVision."


@dataclass(frozen=True)
class Metadata:
    """The keys that are of use; None where one is missing, null or no such value.

    Attributes:
        method: what is done to the model's output, such as ``ClassificationMultiClass``.
        height: of the model's input, pixels.
        width: of the model's input, pixels.
        crop: such as ``FullImageShorterSide``.
        resize: such as ``ByShorterSideAlign32``.
    """

    method: str | None = None
    height: int | None = None
    width: int | None = None
    crop: str | None = None
    resize: str | None = None

    def difference(self, input_spec: InputSpec) -> str | None:
        """A sentence if it gives another size than the graph has, else None."""
        said, found = (self.height, self.width), (input_spec.height, input_spec.width)
        if None in said or said == found:
            return None
        return (
            f"the metadata says {said[0]} x {said[1]} pixels, the graph {found[0]} x {found[1]}: "
            "the graph's size is used."
        )


def parse_metadata(text: str) -> Metadata:
    """Reads the JSON.

    Raises:
        ValueError: it is not a JSON object; the message is a sentence without the file's name.
    """
    data = json_object(text)
    return Metadata(
        method=_text(data, "Postprocess.Method"),
        height=_pixels(data, "Preprocess.TargetHeight"),
        width=_pixels(data, "Preprocess.TargetWidth"),
        crop=_text(data, "Preprocess.CropMethod"),
        resize=_text(data, "Preprocess.ResizeMethod"),
    )


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(_PREFIX + key)
    if not isinstance(value, str) or value.strip() in ("", "null"):
        return None
    return value.strip()


def _pixels(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(_PREFIX + key)
    try:
        number = float(value) if isinstance(value, str | int | float) else 0.0
        return int(number) or None
    except (ValueError, OverflowError):  # no number, or an infinite one
        return None
