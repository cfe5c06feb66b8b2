"""Status and metadata are printed as protobuf prints the messages, which clients compare."""

from __future__ import annotations

import json

from image_classifier.model_files.signatures import Signature, TensorInfo
from image_classifier.protocols.tf_serving.errors import Code
from image_classifier.protocols.tf_serving.json.status_and_metadata import (
    format_metadata,
    format_status,
)


def test_the_status_is_printed_as_protobuf_prints_it() -> None:
    assert format_status([(123, "AVAILABLE", Code.OK, "")]).decode() == (
        '{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )


def test_metadata_is_printed_in_two_parts_as_tensorflow_serving_does_it() -> None:
    signature = Signature(
        {"x": TensorInfo("x:0", "DT_FLOAT", (-1, 1))}, {"y": TensorInfo("y:0", "DT_FLOAT", None)}
    )
    text = format_metadata("half", 123, {"serving_default": signature}).decode()

    assert text.startswith(
        '{\n"model_spec":{\n "name": "half",\n "signature_name": "",\n "version": "123"\n}\n,\n'
        '"metadata": {"signature_def": {\n "signature_def": {\n  "serving_default": {\n'
        '   "inputs": {\n    "x": {\n     "dtype": "DT_FLOAT",\n     "tensor_shape": {\n'
        '      "dim": [\n       {\n        "size": "-1",\n        "name": ""\n       },\n'
    )
    assert text.endswith(
        '   "method_name": "tensorflow/serving/predict",\n   "defaults": {}\n  }\n }\n}\n}\n}\n'
    )
    found = json.loads(text)["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert found["outputs"]["y"]["tensor_shape"] == {"dim": [], "unknown_rank": True}


def test_names_outside_ascii_are_printed_as_they_are_and_tags_are_escaped() -> None:
    info = TensorInfo("größe:0", "DT_FLOAT", (-1,))
    text = format_metadata("日本", 1, {"<b>": Signature({"größe": info}, {})}).decode()

    assert '"name": "日本"' in text
    assert '"größe": {' in text
    assert '"name": "größe:0"' in text
    assert '"\\u003cb\\u003e": {' in text
