"""Implements TensorFlow Serving's REST API: a path and a body in, a status and a body out.

The Functions app and the ``model_server`` process both answer with this, byte for byte the same.
"""

from __future__ import annotations

import re
import threading
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from urllib.parse import unquote

from image_classifier.models.loaded_model import LoadedModel
from image_classifier.protocols.tf_serving.classify_regress import classify, regress
from image_classifier.protocols.tf_serving.errors import HTTP_STATUS, Code, ServingError
from image_classifier.protocols.tf_serving.json import responses
from image_classifier.protocols.tf_serving.json.classify_regress_request import (
    parse_classify_regress,
)
from image_classifier.protocols.tf_serving.json.parse import parse
from image_classifier.protocols.tf_serving.json.predict_request import (
    PredictJson,
    parse_predict,
    signature_name_of,
)
from image_classifier.protocols.tf_serving.json.status_and_metadata import (
    format_metadata,
    format_status,
)
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing

__all__ = ["RestAnswer", "error_answer", "handle", "inflate"]

_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICTION = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", re.I | re.A
)
_STATUS = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?", re.I | re.A
)
_LARGEST_VERSION = 2**63 - 1

# A number takes 2 bytes in JSON and 32 or more as an object: long bodies are parsed one at a time.
_LONG_BODY_BYTES = 2**20
_reading_long_body = threading.Lock()


@dataclass(frozen=True)
class RestAnswer:
    """An HTTP answer; its type is ``application/json``.

    Attributes:
        status: the HTTP status.
        body: JSON.
        code: the canonical code behind the status.
    """

    status: int
    body: bytes
    code: Code = Code.OK


def handle(serving: TensorFlowServing, method: str, path: str, body: bytes) -> RestAnswer:
    """Answers one request.

    Args:
        serving: the models.
        method: GET or POST.
        path: as sent: percent-encoded, without the query.
        body: as sent, or inflated if it was compressed.

    Raises:
        ServingError: the request cannot be answered.
    """
    return RestAnswer(200, _answer(serving, method, path, body))


def error_answer(error: ServingError) -> RestAnswer:
    """Renders an error: ``{"error": …}``."""
    return RestAnswer(HTTP_STATUS[error.code], responses.format_error(error.message), error.code)


def inflate(body: bytes, *, limit: int) -> bytes:
    """Decompresses a body with ``Content-Encoding: gzip``.

    Args:
        body: as sent.
        limit: bytes of the result: a few kilobytes can be made to become gigabytes.

    Raises:
        ServingError: it is not gzip, cut short, or larger than the limit.
    """
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        data = reader.decompress(body, limit + 1)
    except zlib.error as exc:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"The body is not gzip as Content-Encoding says: {exc}."
        ) from exc
    if len(data) > limit:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"The body is larger than {limit} bytes once it is inflated. Send fewer images at a "
            "time.",
        )
    if not reader.eof:
        raise ServingError(Code.INVALID_ARGUMENT, "The gzip body is cut short.")
    return data


def _answer(serving: TensorFlowServing, method: str, path: str, body: bytes) -> bytes:
    if method == "POST" and (match := _PREDICTION.fullmatch(path)):
        spec = _spec(match)
        verb = match["verb"].lower()
        if verb == "predict":
            return _predict(serving, spec, body)
        return _examples(serving, spec, verb, body)
    if method == "GET" and (match := _STATUS.fullmatch(path)):
        if not match["name"]:
            raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        spec = _spec(match)
        if match["metadata"]:
            answering, signatures = serving.metadata(spec)
            return format_metadata(answering.name, answering.version or 0, signatures)
        return format_status(
            [
                (each.version, each.state, each.error_code, each.error_message)
                for each in serving.status(spec)
            ]
        )
    raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {method} {path}")


def _predict(serving: TensorFlowServing, spec: ModelSpec, body: bytes) -> bytes:
    loaded, request = _read_predict(serving, spec, body)
    result = serving.predict(
        replace(spec, signature_name=request.signature_name),
        request.inputs,
        loaded=loaded,
        by_tensor_names=request.used_tensor_names,
    )
    return responses.format_predict(result.outputs, request.row)


def _read_predict(
    serving: TensorFlowServing, spec: ModelSpec, body: bytes
) -> tuple[LoadedModel, PredictJson]:
    """Finds the model and reads the request; the parsed document is freed before the model runs."""
    with _turn(body):
        document = parse(body)  # first: faulty JSON is reported before an unknown model
        name = signature_name_of(document)
        loaded = serving.find(spec)
        signature = loaded.signatures.get(name)
        if signature is None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f'Serving signature name: "{name}" not found in signature def',
            )
        return loaded, parse_predict(document, signature)


def _examples(serving: TensorFlowServing, spec: ModelSpec, verb: str, body: bytes) -> bytes:
    with _turn(body):
        request = parse_classify_regress(parse(body))
    spec = replace(spec, signature_name=request.signature_name)
    if verb == "classify":
        return responses.format_classify(classify(serving, spec, request.examples).classifications)
    return responses.format_regress(regress(serving, spec, request.examples).values)


def _turn(body: bytes) -> AbstractContextManager[object]:
    return _reading_long_body if len(body) > _LONG_BODY_BYTES else nullcontext()


def _spec(match: re.Match[str]) -> ModelSpec:
    version = None
    if match["version"]:
        version = int(match["version"]) if len(match["version"]) < 20 else _LARGEST_VERSION + 1
        if version > _LARGEST_VERSION:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Failed to convert version: {match['version']} to numeric."
            )
    return ModelSpec(unquote(match["name"]), version, unquote(match["label"] or ""))
