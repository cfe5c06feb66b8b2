"""Reads the bodies of Custom Vision's API and its exported container: an image, or its URL."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from image_classifier.errors import InvalidRequest
from image_classifier.protocols.multipart import EMPTY_BODY_HINT, read_parts

__all__ = ["IMAGE_FIELD", "image_in", "media_type", "url_in"]

# The SDKs' name for the image in a form.
IMAGE_FIELD = "imageData"

# A URL has at most some thousand characters; a much longer body is not worth reading.
_LONGEST_URL_BODY = 2**16


def media_type(content_type: str) -> str:
    """Takes the type from a header, without parameters and in lower case."""
    return content_type.partition(";")[0].strip().lower()


def image_in(content_type: str, body: bytes) -> bytes:
    """Finds the image in a body: the body itself, or the field ``imageData`` of a form.

    Args:
        content_type: the request's header; empty if it has none.
        body: as sent.

    Raises:
        InvalidRequest: there is no image, or more than one.
    """
    kind = media_type(content_type)
    if kind == "multipart/form-data":
        return _image_in_form(content_type, body)
    if kind.endswith("json") and body.lstrip()[:1] == b"{":
        raise InvalidRequest(
            "The body is JSON, but images come here as bytes. Send an image's URL as JSON to "
            "…/url instead of …/image."
        )
    if not body:
        raise InvalidRequest(
            "There is no image in the request. Send its bytes as the body "
            f"(application/octet-stream), or as the field {IMAGE_FIELD} of multipart/form-data."
            f"{EMPTY_BODY_HINT}"
        )
    # The bytes decide, not the type: curl --data-binary calls everything a form.
    return body


def _image_in_form(content_type: str, body: bytes) -> bytes:
    parts = read_parts(content_type, body)
    # Always the bytes that were sent: the exported container took text for a path of the server.
    images = [part for part in parts if part.name.lower() == IMAGE_FIELD.lower()]
    if not images:
        images = [part for part in parts if part.filename is not None]
    if len(images) != 1:
        raise InvalidRequest(
            f"The form has {len(images)} images; send exactly one, as the field {IMAGE_FIELD}."
        )
    return images[0].content


def url_in(content_type: str, body: bytes) -> str:
    """Finds the URL in a body: JSON ``{"url": …}``, or a form; ``Url`` and ``URL`` are the same.

    Args:
        content_type: the request's header; empty if it has none.
        body: as sent.

    Raises:
        InvalidRequest: the body has no URL.
    """
    if len(body) > _LONGEST_URL_BODY:
        raise InvalidRequest(
            f"The body has {len(body)} bytes, more than {_LONGEST_URL_BODY}: that is no URL. Send "
            "the image's bytes to …/image instead of …/url."
        )
    text = body.decode("utf-8-sig", "replace").strip()
    if media_type(content_type) == "multipart/form-data":
        fields = {
            part.name: part.content.decode("utf-8", "replace")
            for part in read_parts(content_type, body)
        }
    elif text.startswith("{") or media_type(content_type).endswith("json"):
        fields = _json_object(text)
    else:  # after JSON: curl -d '{"url": …}' calls itself a form, too
        fields = dict(parse_qsl(text))
    urls = [value for key, value in fields.items() if key.lower() == "url"]
    if len(urls) != 1 or not isinstance(urls[0], str) or not urls[0].strip():
        raise InvalidRequest(
            "There is no URL in the request. Send JSON, as in "
            '{"Url": "https://example.com/cat.png"}, or a form with the field url.'
        )
    return urls[0].strip()


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            'The body is not valid JSON. Send {"Url": "https://example.com/cat.png"}.'
        ) from None
    return value if isinstance(value, dict) else {}
