"""Writes status and metadata in JSON, as protobuf prints TensorFlow Serving's messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from image_classifier.model_files.signatures import Signature, TensorInfo
from image_classifier.protocols.tf_serving.errors import Code

__all__ = ["format_metadata", "format_status"]


def format_status(versions: Sequence[tuple[int, str, Code, str]]) -> bytes:
    """Writes a ``GetModelStatusResponse``.

    Args:
        versions: number, state, error code and error message of each.
    """
    return _printed(
        {
            "model_version_status": [
                {
                    "version": str(version),
                    "state": state,
                    "status": {"error_code": code.name, "error_message": message},
                }
                for version, state, code, message in versions
            ]
        }
    ).encode()


def format_metadata(name: str, version: int, signatures: Mapping[str, Signature]) -> bytes:
    """Writes a ``GetModelMetadataResponse``, built from its parts as TensorFlow Serving does."""
    spec = _printed({"name": name, "signature_name": "", "version": str(version)})
    listed = {key: _signature(signature) for key, signature in sorted(signatures.items())}
    definitions = _printed({"signature_def": listed})
    text = f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {definitions}}}\n}}\n'
    return text.encode()


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": {key: _info(info) for key, info in sorted(signature.inputs.items())},
        "outputs": {key: _info(info) for key, info in sorted(signature.outputs.items())},
        "method_name": signature.method_name,
        "defaults": {},
    }


def _info(info: TensorInfo) -> dict[str, Any]:
    return {
        "dtype": info.dtype,
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in info.shape or ()],
            "unknown_rank": info.shape is None,
        },
        "name": info.name,
    }


def _printed(message: Mapping[str, Any]) -> str:
    text = json.dumps(message, indent=1, ensure_ascii=False)
    # Protobuf escapes these, so that its JSON can stand in a web page.
    return text.replace("<", "\\u003c").replace(">", "\\u003e") + "\n"
