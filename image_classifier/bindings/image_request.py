"""Finds the image, the model and the version in a request to ``/api/classify``."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from image_classifier.errors import InvalidRequest
from image_classifier.protocols.multipart import read_parts

__all__ = ["WAYS_IN", "ImageRequest", "read_choice", "read_image_request"]

WAYS_IN = (
    "Give one as ?img=URL, as the body (the bytes of an image file), as multipart/form-data with "
    'one file, or as JSON {"img": URL} or {"image": base64}.'
)

# Each comma or bracket in JSON may become an object of 70 bytes: 28 MB of "{}," take 700 MB. Base64
# has neither.
_MOST_MARKS = 1000


@dataclass(frozen=True)
class ImageRequest:
    """A request to classify: exactly one of ``url`` and ``data`` is given.

    Attributes:
        url: of the image.
        data: the bytes of an image file.
        model: name, or None for the default model.
        version: or None for the highest.
    """

    url: str | None
    data: bytes | None
    model: str | None
    version: int | None


def read_image_request(req: func.HttpRequest) -> ImageRequest:
    """Parses a request.

    Raises:
        InvalidRequest: there is no image, more than one, or a part that cannot be read.
    """
    url, data = _image_of(req)
    return ImageRequest(url, data, *read_choice(req))


def read_choice(req: func.HttpRequest) -> tuple[str | None, int | None]:
    """Reads ``?model=`` and ``?version=``; None for each that is missing.

    Raises:
        InvalidRequest: the version is no number.
    """
    return req.params.get("model"), _version(req.params.get("version"))


def _image_of(req: func.HttpRequest) -> tuple[str | None, bytes | None]:
    url = req.params.get("img")
    body = req.get_body()
    if url and body:
        raise InvalidRequest("The request has ?img= and a body too. Send one image, not two.")
    if url:
        return url, None
    if not body:
        raise InvalidRequest(f"There is no image in the request. {WAYS_IN}")
    header = req.headers.get("content-type", "")
    content_type = header.partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        return None, _only_file(header, body)
    if content_type == "application/json" or content_type.endswith("+json"):
        return _from_json(body)
    # The bytes decide, not the type: curl --data-binary calls everything a form.
    return None, body


def _only_file(content_type: str, body: bytes) -> bytes:
    files = [part for part in read_parts(content_type, body) if part.filename is not None]
    if len(files) != 1:
        raise InvalidRequest(
            f"The multipart body has {len(files)} files; send exactly one, as in "
            "curl -F image=@image.jpg."
        )
    return files[0].content


def _from_json(body: bytes) -> tuple[str | None, bytes | None]:
    if sum(body.count(mark) for mark in b",[{") > _MOST_MARKS:
        raise InvalidRequest(f"The JSON has more in it than one image. {WAYS_IN}")
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"The body is not valid JSON. {WAYS_IN}") from exc
    match value:
        case {"img": str(), "image": str()}:
            raise InvalidRequest('The JSON has "img" and "image". Send one image, not two.')
        case {"img": str(url)} if url:
            return url, None
        case {"image": str(text)} if text:
            return None, _from_base64(text)
    raise InvalidRequest(f'The JSON has neither "img" nor "image" as text. {WAYS_IN}')


def _from_base64(text: str) -> bytes:
    # Browsers' FileReader gives data:image/png;base64,…
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequest(f'"image" in the JSON is not valid base64: {exc}.') from exc


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidRequest(f"version={text[:40]!r} is not a whole number such as 1.")
    return int(text)
