"""Describes the bodies of requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from image_classifier.bindings.status import PROBES
from image_classifier.engines.registry import ENGINES
from image_classifier.protocols.custom_vision.exported_container import as_container_answer
from image_classifier.results import Prediction, StageTimes, TagProbability

__all__ = ["EXAMPLE", "IMAGE_URL", "NEGOTIATION", "SCHEMAS", "STATUS_EXAMPLE", "ref"]

IMAGE_URL = "https://example.com/cat.png"

EXAMPLE = Prediction(
    created=datetime(2026, 11, 20, 14, 13, 43, 250830),
    tags=(TagProbability("Cat", 0.98), TagProbability("Dog", 0.02)),
    labels=("Cat", "Dog"),
    scores=(0.98, 0.02),
    model="pets",
    version=1,
    engine="onnx",
    times=StageTimes(fetch=12.4, decode=1.9, preprocess=1.2, infer=4.7),
)
STATUS_EXAMPLE = {
    "status": "ready",
    "defaultModel": "pets",
    "development": False,
    "models": [
        {
            "name": "pets",
            "versions": [
                {
                    "version": 1,
                    "labels": ["Cat", "Dog"],
                    "engine": "onnx",
                    "state": "loaded",
                    "provider": "CPUExecutionProvider",
                }
            ],
        }
    ],
    "engines": [{"name": name, "installed": name == "onnx"} for name in ENGINES],
}
NEGOTIATION = {"url": "https://…/client/?hub=imageclassification", "accessToken": "eyJ…"}

_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT = {"type": "string"}


def ref(name: str) -> dict[str, Any]:
    """Makes a reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    # Later versions may add keys, and clients should ignore unknown ones.
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


_TAG = _object({"tagName": _TEXT, "probability": _PROBABILITY})

SCHEMAS: dict[str, dict[str, Any]] = {
    "Prediction": _object(
        {
            "created": {
                "type": "string",
                "description": "When the answer was made: UTC, ISO 8601, without a zone.",
            },
            "predictedTagName": {
                "type": ["string", "null"],
                "description": "The tag with the highest probability; null if no tag passes.",
            },
            "prediction": {
                **_list_of(_TAG),
                "description": "Every tag above 0.00000001, in the order of labels.txt.",
            },
        }
    )
    | {"examples": [EXAMPLE.as_dict()]},
    "ImageJson": {
        "description": "An image as JSON: its address, or the file as base64.",
        "oneOf": [
            {
                "type": "object",
                "required": ["img"],
                "properties": {"img": {"type": "string", "minLength": 1, "format": "uri"}},
            },
            {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {
                        "type": "string",
                        "minLength": 1,
                        "contentEncoding": "base64",
                        "description": "data:image/png;base64,… is fine too.",
                    }
                },
            },
        ],
    },
    "ImageUrl": _object({"Url": {"type": "string", "minLength": 1, "format": "uri"}}),
    "Error": _object({"error": _object({"code": _TEXT, "message": _TEXT})})
    | {"description": "The fault, the limit and the advice, in a sentence. `code` never changes."},
    "Status": _object(
        {
            "status": {"enum": ["ready", "unavailable"]},
            "message": _TEXT,
            "defaultModel": {"type": ["string", "null"]},
            "development": {"type": "boolean"},
            "models": _list_of(_object({"name": _TEXT, "versions": _list_of(ref("Version"))})),
            "engines": _list_of(
                _object(
                    {
                        "name": {"enum": list(ENGINES)},
                        "installed": {
                            "type": "boolean",
                            "description": "Whether the package is there. It is imported when a "
                            "model needs it.",
                        },
                        "message": _TEXT
                        | {
                            "description": "Why the package, which is there, cannot be imported; "
                            "known once a model has needed it."
                        },
                    },
                    optional=("message",),
                )
            ),
        },
        optional=("message",),
    )
    | {"examples": [STATUS_EXAMPLE]},
    "Version": _object(
        {
            "version": {"type": "integer"},
            "labels": _list_of(_TEXT),
            "engine": {"enum": [*ENGINES, None]},
            "state": _TEXT,
            "provider": _TEXT
            | {"description": "The provider of ONNX Runtime, once the model is loaded."},
            "message": _TEXT,
        },
        optional=("provider", "message"),
    ),
    "Probe": _object(
        {"status": {"enum": ["alive", "ready", "unavailable"]}, "message": _TEXT},
        optional=("message",),
    )
    | {"description": f"What ?probe={' or ?probe='.join(PROBES)} answers: no lists."},
    "Negotiation": _object({"url": _TEXT, "accessToken": _TEXT}) | {"examples": [NEGOTIATION]},
    "ContainerPrediction": _object(
        {
            "id": {"const": ""},
            "project": {"const": ""},
            "iteration": {"const": ""},
            "created": _TEXT,
            "predictions": _list_of(
                _object(
                    {
                        "tagName": _TEXT,
                        "probability": _PROBABILITY,
                        "tagId": {"const": ""},
                        "boundingBox": {"type": "null"},
                    }
                )
            ),
        }
    )
    | {"examples": [as_container_answer(EXAMPLE)]},
    "ImagePrediction": _object(
        {
            "id": {"type": "string", "format": "uuid"},
            "project": {"type": "string", "format": "uuid"},
            "iteration": {"type": "string", "format": "uuid"},
            "created": {"type": "string", "format": "date-time"},
            "predictions": {
                **_list_of(
                    _object(
                        {
                            "probability": _PROBABILITY,
                            "tagId": {"type": "string", "format": "uuid"},
                            "tagName": _TEXT,
                            "tagType": {
                                "enum": ["Regular", "Negative"],
                                "description": "In v3.1 only.",
                            },
                        },
                        optional=("tagType",),
                    )
                ),
                "description": "Every tag, the most probable first.",
            },
        }
    ),
    "CustomVisionError": _object(
        {
            "code": _TEXT,
            "message": _TEXT,
            "error": _object({"code": _TEXT, "message": _TEXT})
            | {"description": "With 401 only: the error of Azure's gateway."},
        },
        optional=("error",),
    ),
    "PredictRequest": {
        "type": "object",
        "description": "`instances`: one value or object for each row. `inputs`: by columns.",
        "properties": {"signature_name": _TEXT, "instances": {"type": "array"}, "inputs": {}},
        "anyOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
        "examples": [{"signature_name": "bytes", "instances": [{"b64": "iVBORw0KGgo…"}]}],
    },
    "PredictResponse": {
        "type": "object",
        "properties": {"predictions": {"type": "array"}, "outputs": {}},
        "anyOf": [{"required": ["predictions"]}, {"required": ["outputs"]}],
        "examples": [{"predictions": ["Cat"]}],
    },
    "ExamplesRequest": _object(
        {
            "signature_name": _TEXT,
            "context": {"type": "object"},
            "examples": _list_of({"type": "object"}),
        },
        optional=("signature_name", "context"),
    )
    | {"examples": [{"examples": [{"x": 1.0}]}]},
    "ClassifyResponse": _object({"results": _list_of(_list_of({"type": "array"}))})
    | {"examples": [{"results": [[["Cat", 0.98], ["Dog", 0.02]]]}]},
    "RegressResponse": _object({"results": _list_of({"type": "number"})})
    | {"examples": [{"results": [2.5]}]},
    "ModelStatus": _object(
        {
            "model_version_status": _list_of(
                _object(
                    {
                        "version": _TEXT,
                        "state": {"enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
                        "status": _object({"error_code": _TEXT, "error_message": _TEXT}),
                    }
                )
            )
        }
    ),
    "ModelMetadata": _object(
        {
            "model_spec": _object({"name": _TEXT, "signature_name": _TEXT, "version": _TEXT}),
            "metadata": {"type": "object"},
        }
    ),
    "ServingError": _object({"error": _TEXT}) | {"examples": [{"error": "Servable not found …"}]},
}
