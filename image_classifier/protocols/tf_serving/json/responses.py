"""Writes responses as TensorFlow Serving's REST API does, to the byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from image_classifier.model_files.signatures import Array, short_dtype
from image_classifier.protocols.tf_serving.errors import invalid_argument
from image_classifier.protocols.tf_serving.json.value_format import (
    binary,
    bracketed,
    decimals,
    members,
    nested,
    quoted,
)
from image_classifier.protocols.tf_serving.tensor_names import dtype_name

__all__ = ["format_classify", "format_error", "format_predict", "format_regress"]

_BYTES_SUFFIX = "_bytes"
_WHOLE = "iu"


def format_predict(outputs: Mapping[str, Array], row: bool) -> bytes:
    """Writes the response to a predict request.

    Args:
        outputs: an array for each output.
        row: whether the request was by rows: ``predictions``, one per row; else ``outputs``.

    Raises:
        ServingError: an array cannot be written, or (by rows) the arrays have different lengths.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    in_order = dict(sorted(outputs.items()))
    text = _rows(in_order) if row else _columns(in_order)
    return text.encode("utf-8", "surrogateescape")


def format_classify(classifications: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """Writes ``{"results": [[["label", score], …], …]}``."""
    if not classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classes in classifications:
        scores = decimals(np.array([score for _, score in classes], np.float32))
        rows.append(
            [
                f"[{quoted(_text(label))}, {score}]"
                for (label, _), score in zip(classes, scores, strict=True)
            ]
        )
    results = ", ".join(f"[{', '.join(row)}]" for row in rows)
    text = f'{{\n    "results": [{results}\n    ]\n}}'
    return text.encode("utf-8", "surrogateescape")


def format_regress(values: Sequence[float]) -> bytes:
    """Writes ``{"results": [value, …]}``."""
    if not values:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    texts = decimals(np.array(values, np.float32))
    return f'{{\n    "results": [{", ".join(texts)}]\n}}'.encode()


def format_error(message: str) -> bytes:
    """Writes ``{"error": "…"}`` on three lines, without a newline at the end."""
    return members([("error", quoted(message))], level=0).encode("utf-8", "surrogateescape")


def _rows(outputs: Mapping[str, Array]) -> str:
    count = -1
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if count not in (-1, len(array)):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {count}"
            )
        count = len(array)
    # One output: its values stand alone, the first list opened before lists were put on one line.
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        values = _split(_leaves(name, array, level=1 + array.ndim), array, level=2)
        body = f"[{', '.join(values)}\n    ]" if values else "[]"
        return members([("predictions", body)], level=0)
    columns = {
        name: _split(_leaves(name, array, level=2 + array.ndim), array, level=3)
        for name, array in outputs.items()
    }
    rows = [
        members([(name, values[index]) for name, values in columns.items()], level=2)
        for index in range(count)
    ]
    return members([("predictions", bracketed(rows, level=1, single_line=False))], level=0)


def _split(leaves: list[str], array: Array, *, level: int) -> list[str]:
    """Makes the text of each row of an array."""
    if not len(array):
        return []
    if not leaves:
        return [nested([], array.shape[1:], level=level, single_line=True)] * len(array)
    size = len(leaves) // len(array)
    return [
        nested(leaves[start : start + size], array.shape[1:], level=level, single_line=True)
        for start in range(0, len(leaves), size)
    ]


def _columns(outputs: Mapping[str, Array]) -> str:
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        leaves = _leaves(name, array, level=1 + array.ndim)
        text = nested(leaves, array.shape, level=1, single_line=False)
        return members([("outputs", text)], level=0)
    pairs = [
        (
            name,
            nested(
                _leaves(name, array, level=2 + array.ndim),
                array.shape,
                level=2,
                single_line=False,
            ),
        )
        for name, array in outputs.items()
    ]
    return members([("outputs", members(pairs, level=1))], level=0)


def _leaves(name: str, array: Array, *, level: int) -> list[str]:
    """Makes the text of each element.

    Args:
        name: of the output: bytes are base64 if it ends in ``_bytes``.
        array: of any shape.
        level: the number of open brackets around an element.
    """
    flat = array.reshape(-1)
    if array.dtype == object:
        if name.endswith(_BYTES_SUFFIX):
            return [binary(value, level=level) for value in flat]
        return [quoted(_text(value)) for value in flat]
    if array.dtype.kind == "f":
        return decimals(flat)
    if array.dtype.kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if array.dtype.kind in _WHOLE:
        return list(map(str, flat.tolist()))
    short = short_dtype(dtype_name(array.dtype))
    raise invalid_argument(f"Failed to write JSON value for tensor type: {short}")


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "surrogateescape")
