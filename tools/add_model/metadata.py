"""Reads ``metadata_properties.json``, the exporter's description of preprocessing.

Every value in it is a text, even numbers (``"224.0"``) and null (``"null"``). Its statements about
pixels and resizing contradict the exporter's own scripts, so the graph decides, and this file is
only shown and compared.
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
    """The keys in use; None for one that is missing, null or of another type.

    Attributes:
        method: the processing of the model's output, such as ``ClassificationMultiClass``.
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
        """A sentence if the size is not that of the graph, else None."""
        stated, actual = (self.height, self.width), (input_spec.height, input_spec.width)
        if None in stated or stated == actual:
            return None
        return (
            f"the metadata says {stated[0]} x {stated[1]} pixels, the graph {actual[0]} x "
            f"{actual[1]}: the graph's size is used."
        )


def parse_metadata(text: str) -> Metadata:
    """Reads the JSON.

    Raises:
        ValueError: the text is not a JSON object; the message does not name the file.
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
    except (ValueError, OverflowError):  # not a number, or an infinite one
        return None
