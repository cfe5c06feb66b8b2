"""Describes the operations of each HTTP function: their requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from image_classifier.bindings.status import PROBES
from image_classifier.errors import (
    FetchError,
    ImageTooLarge,
    InvalidRequest,
    ModelError,
    TooManyRequests,
    UnknownModel,
    UnsupportedImage,
)
from image_classifier.protocols.custom_vision.uploads import IMAGE_FIELD
from tools.openapi.errors import of_custom_vision, of_tf_serving, of_the_app
from tools.openapi.schemas import IMAGE_URL, ref

__all__ = ["OPERATIONS"]

# function -> path -> method -> OpenAPI's operation
Operations = Mapping[str, Mapping[str, Mapping[str, dict[str, Any]]]]

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_WORK = (FetchError, ImageTooLarge, UnknownModel, UnsupportedImage, TooManyRequests, ModelError)


def _parameter(name: str, where: str, schema: dict[str, Any], words: str) -> dict[str, Any]:
    parameter = {"name": name, "in": where, "schema": schema, "description": words}
    return parameter | ({"required": True} if where == "path" else {})


def _form(field: str) -> dict[str, Any]:
    image = {"type": "string", "format": "binary"}
    return {"schema": {"type": "object", "required": [field], "properties": {field: image}}}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(schema)}}


def _ok(schema: str, words: str, *, predicted: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": words, "content": _json(schema)}
    if predicted:
        answer["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("Server-Timing", "X-Model", "X-Engine")
        }
    return {"200": answer}


_MODEL = _parameter("model", "query", {"type": "string"}, "A model by name; else the default.")
_VERSION = _parameter(
    "version", "query", {"type": "integer", "minimum": 0, "maximum": 10**17}, "Else the highest."
)
_IMG = _parameter("img", "query", {"type": "string", "format": "uri"}, "The image's address.")
_PREDICTED = _ok("Prediction", "The tags of the image.", predicted=True)

_CLASSIFY = {
    "/api/classify": {
        "get": {
            "summary": "Classify the image at an address",
            "description": "The app downloads it; private addresses are refused.",
            "parameters": [_IMG | {"required": True, "example": IMAGE_URL}, _MODEL, _VERSION],
            "responses": _PREDICTED | of_the_app(),
        },
        "post": {
            "summary": "Classify an image",
            "description": (
                "Send the file itself, a form with one file, JSON with an address or with base64; "
                "or the address as `?img=`, without a body. Whatever the type says, the bytes "
                "decide. JPEG, PNG, GIF, BMP, WebP, TIFF and AVIF are read."
            ),
            "parameters": [_IMG, _MODEL, _VERSION],
            "requestBody": {
                "content": {
                    "application/octet-stream": _BYTES,
                    "image/*": _BYTES,
                    "multipart/form-data": _form("image"),
                    "application/json": {"schema": ref("ImageJson"), "example": {"img": IMAGE_URL}},
                }
            },
            "responses": _PREDICTED | of_the_app(),
        },
    }
}

_STATUS = {
    "/api/status": {
        "get": {
            "summary": "Ready or not, and which models there are",
            "description": (
                "200 when an image sent now would be classified, else 503 with the reason. Loads "
                "the default model if that has not happened yet; `?probe=live` loads nothing."
            ),
            "parameters": [
                _parameter("probe", "query", {"enum": list(PROBES)}, "For probes: a short answer.")
            ],
            "responses": {
                "200": {
                    "description": "Ready; with `?probe=live`, alive.",
                    "content": {
                        "application/json": {"schema": {"anyOf": [ref("Status"), ref("Probe")]}}
                    },
                },
                **of_the_app(without=_WORK),
                "503": {
                    "description": "Not ready; `message` says why.",
                    "content": {
                        "application/json": {"schema": {"anyOf": [ref("Status"), ref("Probe")]}}
                    },
                },
            },
        }
    }
}

_NEGOTIATE = {
    "/api/negotiate": {
        "post": {
            "summary": "Where to hear the results of the queue",
            "description": "For SignalR clients, which call it by themselves; good for an hour.",
            "responses": _ok("Negotiation", "The service's address and a token for it.")
            | of_the_app(without=(InvalidRequest, *_WORK)),
        }
    }
}

_CONTAINER = {
    "/image": {
        "post": {
            "summary": "Classify an image, as Custom Vision's exported container does",
            "parameters": [_MODEL, _VERSION],
            "requestBody": {
                "required": True,
                "content": {
                    "application/octet-stream": _BYTES,
                    "multipart/form-data": _form(IMAGE_FIELD),
                },
            },
            "responses": _ok("ContainerPrediction", "Every tag.", predicted=True)
            | of_the_app(without=(FetchError,)),
        }
    },
    "/url": {
        "post": {
            "summary": "Classify the image at an address, as that container does",
            "parameters": [_MODEL, _VERSION],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": ref("ImageUrl"), "example": {"Url": IMAGE_URL}}
                },
            },
            "responses": _ok("ContainerPrediction", "Every tag.", predicted=True) | of_the_app(),
        }
    },
}

_CALL = [
    _parameter("api", "path", {"enum": ["v3.0", "v3.1"]}, "The API's version."),
    _parameter(
        "projectId", "path", {"type": "string", "format": "uuid"}, "Any UUID; ids come from it."
    )
    | {"example": "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"},
    _parameter(
        "publishedName",
        "path",
        {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
        "Chooses the model: the setting `CUSTOM_VISION_MODELS`, a model's name, else the default.",
    )
    | {"example": "Iteration1"},
]


def _custom_vision() -> dict[str, Any]:
    base = "/customvision/{api}/Prediction/{projectId}/classify/iterations/{publishedName}"
    bodies = {
        "image": {
            "application/octet-stream": _BYTES,
            "multipart/form-data": _form(IMAGE_FIELD),
        },
        "url": {"application/json": {"schema": ref("ImageUrl"), "example": {"Url": IMAGE_URL}}},
    }
    what = {"image": "Classify an image", "url": "Classify the image at an address"}
    return {
        f"{base}/{kind}{ending}": {
            "post": {
                "summary": what[kind] + (" (nothing is ever stored)" if ending else ""),
                "parameters": _CALL,
                "requestBody": {"required": True, "content": content},
                "responses": _ok("ImagePrediction", "Every tag.", predicted=True)
                | of_custom_vision(by_url=kind == "url"),
            }
        }
        for kind, content in bodies.items()
        for ending in ("", "/nostore")
    }


def _tf_serving() -> dict[str, Any]:
    name = _parameter(
        "model", "path", {"type": "string", "minLength": 1, "pattern": "^[^/:]+$"}, "Its name."
    ) | {"example": "digits"}
    version = _parameter("version", "path", {"type": "integer", "minimum": 0}, "Its number.")
    label = _parameter(
        "label",
        "path",
        {"type": "string", "minLength": 1, "pattern": "^[^/:]+$"},
        "A version's label, of the file `MODEL_CONFIG_FILE`.",
    )
    verbs = {
        "predict": ("Run a signature", "PredictRequest", "PredictResponse"),
        "classify": ("Classify examples", "ExamplesRequest", "ClassifyResponse"),
        "regress": ("Regress on examples", "ExamplesRequest", "RegressResponse"),
    }
    paths: dict[str, Any] = {}
    for ending, more in (
        ("", []),
        ("/versions/{version}", [version | {"example": 1}]),
        ("/labels/{label}", [label | {"example": "stable"}]),
    ):
        path, parameters = f"/v1/models/{{model}}{ending}", [name, *more]
        paths[path] = {
            "get": {
                "summary": "How a model's versions are doing",
                "parameters": parameters,
                "responses": _ok("ModelStatus", "Each version.") | of_tf_serving(),
            }
        }
        paths[f"{path}/metadata"] = {
            "get": {
                "summary": "A model's signatures",
                "parameters": parameters,
                "responses": _ok("ModelMetadata", "All of them.") | of_tf_serving(),
            }
        }
        for verb, (summary, request, response) in verbs.items():
            paths[f"{path}:{verb}"] = {
                "post": {
                    "summary": summary,
                    "parameters": parameters,
                    "requestBody": {"required": True, "content": _json(request)},
                    "responses": _ok(response, "The answer.") | of_tf_serving(),
                }
            }
    return paths


OPERATIONS: Operations = {
    "classify": _CLASSIFY,
    "status": _STATUS,
    "negotiate": _NEGOTIATE,
    "custom_vision_container": _CONTAINER,
    "custom_vision": _custom_vision(),
    "tf_serving": _tf_serving(),
}
