"""Reads a classify or regress request's JSON into serialized ``tensorflow.Example`` messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from image_classifier.protocols.tf_serving.errors import ServingError, invalid_argument
from image_classifier.protocols.tf_serving.json.arrays import (
    decode_base64,
    is_base64,
    json_type,
    lossless,
)
from image_classifier.protocols.tf_serving.json.example_proto import (
    Feature,
    encode_example,
    merge_examples,
)
from image_classifier.protocols.tf_serving.json.predict_request import signature_name_of
from image_classifier.protocols.tf_serving.json.value_format import shown, to_bytes

__all__ = ["ExamplesJson", "parse_classify_regress"]

_CONTEXT, _EXAMPLES = "context", "examples"
_LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True)
class ExamplesJson:
    """A classify or regress request.

    Attributes:
        signature_name: ``serving_default`` if the request names none.
        examples: serialized ``tensorflow.Example`` messages, the context merged into each.
    """

    signature_name: str
    examples: list[bytes]


def parse_classify_regress(document: dict[str, Any]) -> ExamplesJson:
    """Reads a classify or regress request.

    Raises:
        ServingError: it cannot be understood.
    """
    name = signature_name_of(document)
    context = _features(document[_CONTEXT]) if _CONTEXT in document else None
    if _EXAMPLES not in document:
        raise _wrong(
            document, f"When method is classify, key '{_EXAMPLES}' is expected and was not found"
        )
    listed = document[_EXAMPLES]
    if not isinstance(listed, list):
        raise _wrong(document, f"Expecting '{_EXAMPLES}' value to be an list/array")
    if not listed:
        raise _wrong(document, f"'{_EXAMPLES}' value is an empty array")
    examples = [encode_example(_features(value)) for value in listed]
    if context is not None:
        shared = encode_example(context)
        examples = [merge_examples(shared, example) for example in examples]
    return ExamplesJson(name, examples)


def _features(value: Any) -> dict[str, Feature]:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    return {
        name: _feature(name, content if isinstance(content, list) else [content])
        for name, content in value.items()
    }


def _feature(name: str, values: list[Any]) -> Feature:
    """Reads a list of values, all of the type of the first."""
    kind, contents = "", []
    for value in values:
        value_kind = _kind(name, value)
        kind = kind or value_kind
        if value_kind != kind:
            raise invalid_argument(
                f"Unexpected element type in feature: {name} expecting type: {kind}"
            )
        contents.append(_read(name, value_kind, value))
    return Feature(kind, contents)


def _kind(name: str, value: Any) -> str:
    if isinstance(value, int) and -_LARGEST_INT64 - 1 <= value < 2**64:
        return "int64"  # booleans too
    if isinstance(value, int | float):
        return "float"
    if isinstance(value, str) or is_base64(value):
        return "bytes"
    raise invalid_argument(
        f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
    )


def _read(name: str, kind: str, value: Any) -> Any:
    if kind == "bytes":
        return to_bytes(value) if isinstance(value, str) else decode_base64(value)
    if kind == "float":
        return lossless(value, "DT_FLOAT")
    if value > _LARGEST_INT64:
        raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
    return int(value)


def _wrong(document: Any, what: str) -> ServingError:
    return invalid_argument(f"JSON Value: {shown(document)} {what}")
