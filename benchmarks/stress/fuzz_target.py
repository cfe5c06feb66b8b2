"""Runs one input through decode and preprocess, or as a whole request; mutates inputs."""

from __future__ import annotations

import base64
import io
import json
import random
import zlib
from urllib.parse import parse_qsl

import azure.functions as func
import numpy as np
from PIL import Image

from image_classifier import Classifier, ClassifierError, Settings
from image_classifier.bindings import custom_vision, http
from image_classifier.bindings.classify import classify
from image_classifier.bindings.custom_vision_container import custom_vision_container
from image_classifier.images.decode import SUPPORTED_FORMATS, decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec

# Small enough for many inputs a second, large enough for every kind of resizing.
MAX_PIXELS = 4_000_000
# First byte: a request follows, as content type, query string and body in lines. In the query, the
# parameter "endpoint" names the function: one of ENDPOINTS, else /api/classify.
REQUEST = b"R"
IMAGE = b"I"  # first byte: an image file follows
CONTRACTS = tuple(
    InputSpec(input_name="in", output_name="out", height=size, width=size, resize=resize)
    for size, resize in (
        (224, "custom_vision"),
        (300, "custom_vision"),
        (64, "stretch"),
        (64, "accel"),
    )
)
ENDPOINTS = ("customvision/image", "customvision/url", "image", "url")
PREDICTION = (
    "/customvision/v3.1/prediction/6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11/classify/iterations"
)
# No 401 and 503, as no key is needed and the model is fine; lack of memory is a bug, too.
STATUSES = {200, 400, 403, 404, 413, 415}

ODD_NUMBERS = (b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\x80\x00", b"\x00\x00\x00\x01", b"\xff" * 8)
WORDS = (
    b"IDAT", b"iCCP", b"eXIf", b"tRNS", b"\xff\xda", b"\xff\xc2", b"\xff\xe1", b"VP8X", b"ANMF",
    b"II*\x00", b"MM\x00*", b"ispe", b"stsz", b"irot", b"iloc", b"!\xf9\x04", b"--b", b"%00",
    b"\r\n\r\n", b'{"image":"', b'{"img":"', b"data:;base64,", b"filename=", b"[[[[",
    b"\xed\xa0\x80", b"NETSCAPE2.0", b"&version=", b"&model=../", b"&img=file:///",
    b"multipart/form-data; boundary=b", b'{"url":"', b"imageData", b"&endpoint=url",
)  # fmt: skip


class WrongAnswer(Exception):
    """An answer that no client may ever get."""


def fuzz_classifier() -> Classifier:
    """Makes a Classifier with the demo model, which never fetches anything."""
    return Classifier(
        Settings.from_environ(
            {
                "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
                "DEFAULT_MODEL": "digits",
                "MAX_IMAGE_PIXELS": str(MAX_PIXELS),
                "FETCH_ALLOWED_HOSTS": "nobody.invalid",
            }
        )
    )


def try_input(data: bytes, classifier: Classifier) -> None:
    """Runs one input.

    Raises:
        Exception: anything but an answer or an error that has a status: a bug.
    """
    if data[:1] == REQUEST:
        _ask(data[1:], classifier)
    else:
        _decode(data[1:])


def _decode(data: bytes) -> None:
    try:
        image = decode(data, max_pixels=MAX_PIXELS)
    except ClassifierError:
        return
    if image.mode != "RGB" or not 0 < image.width * image.height <= MAX_PIXELS:
        raise WrongAnswer(f"decoded to {image.mode} {image.size}")
    for input_spec in CONTRACTS:
        tensor = preprocess(image, input_spec)
        if (
            tensor.shape != (input_spec.height, input_spec.width, 3)
            or not np.isfinite(tensor).all()
        ):
            raise WrongAnswer(f"preprocessed to {tensor.shape}")


def _ask(data: bytes, classifier: Classifier) -> None:
    kind, _, rest = data.partition(b"\n")
    query, _, body = rest.partition(b"\n")
    params = dict(parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=False))
    if params.get("img", "").startswith("http"):
        params["img"] = "http://127.0.0.1:1/"  # not one of the allowed hosts: nothing is dialled
    response = _answer(params.pop("endpoint", ""), kind.decode("latin-1"), params, body, classifier)
    if response.status_code not in STATUSES:
        raise WrongAnswer(f"status {response.status_code}: {response.get_body()[:200]!r}")
    json.loads(response.get_body())


def _answer(
    endpoint: str, kind: str, params: dict[str, str], body: bytes, classifier: Classifier
) -> func.HttpResponse:
    where = endpoint.rpartition("/")[2]
    req = func.HttpRequest(
        method="POST",
        url=f"http://localhost{PREDICTION}/digits/{where}"
        if "/" in endpoint
        else "http://localhost/",
        params=params,
        headers={"content-type": kind},
        body=body,
        route_params={"kind": where},
    )
    if endpoint not in ENDPOINTS:
        return http.answer(req, classify, service=classifier, function="classify", methods="POST")
    if "/" in endpoint:
        return custom_vision.answer(req, custom_vision.custom_vision(classifier))
    return http.answer(
        req,
        custom_vision_container,
        service=classifier,
        function="custom_vision_container",
        methods="POST",
    )


def first_inputs() -> list[bytes]:
    """Makes real images in every format and compression, and real requests."""
    return [IMAGE + data for data in _images()] + [REQUEST + data for data in _requests()]


def _images() -> list[bytes]:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (24, 40, 3), np.uint8))
    turned = Image.Exif()
    turned[0x112] = 6
    ways: dict[str, list[dict[str, object]]] = {
        "JPEG": [{}, {"progressive": True}, {"exif": turned}],
        "WEBP": [{}, {"lossless": True}, {"exif": turned}],
        "TIFF": [
            {"compression": c} for c in (None, "tiff_lzw", "packbits", "tiff_deflate", "jpeg")
        ],
        "AVIF": [{"speed": 10}],
        "PNG": [{}, {"exif": turned}],
    }
    files = []
    for kind in SUPPORTED_FORMATS:
        images = [(noise, options) for options in ways.get(kind, [{}])]
        images += [(noise.convert(mode), {}) for mode in _modes(kind)]
        for image, options in images:
            files.append(_saved(image, kind, **options))
        if kind in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
            frames = [noise.rotate(180), noise.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
            files.append(_saved(noise, kind, save_all=True, append_images=frames))
    return files


def _modes(kind: str) -> tuple[str, ...]:
    return {
        "JPEG": ("L", "CMYK"),
        "PNG": ("1", "L", "LA", "P", "RGBA", "I;16"),
        "GIF": ("1", "L", "P"),
        "BMP": ("1", "L", "P", "RGBA"),
        "WEBP": ("RGBA",),
        "TIFF": ("1", "L", "P", "RGBA", "CMYK", "I;16", "LAB", "F"),
        "AVIF": ("RGBA",),
    }[kind]


def _requests() -> list[bytes]:
    image = _saved(Image.new("RGB", (8, 8), "red"), "PNG")
    text = base64.b64encode(image)
    part = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + image + b"\r\n"
    )
    field = part.replace(b'"image"; filename="a.png"', b'"imageData"')
    return [
        b"image/png\n\n" + image,
        b"application/octet-stream\nmodel=digits&version=1\n" + image,
        b'application/json\n\n{"image": "' + text + b'"}',
        b'application/json; charset=utf-8\n\n{"image": "data:image/png;base64,' + text + b'"}',
        b'application/json\n\n{"img": "http://example.com/cat.png"}',
        b"multipart/form-data; boundary=b\n\n" + part + b"--b--\r\n",
        b"multipart/form-data; boundary=b\n\n" + part * 2 + b"--b--\r\n",
        b"text/plain\nimg=http://example.com/cat.png&version=2\n",
        b"\nmodel=%ff&version=99999999999999999999\n",
        b"application/octet-stream\ndoor=customvision/image\n" + image,
        b"multipart/form-data; boundary=b\ndoor=customvision/image\n" + field + b"--b--\r\n",
        b'application/json\ndoor=customvision/url\n{"Url": "http://example.com/cat.png"}',
        b"application/x-www-form-urlencoded\ndoor=customvision/url\nurl=http%3A%2F%2Fh%2Fa.png",
        b"multipart/form-data; boundary=b\ndoor=image\n" + field + b"--b--\r\n",
        b'application/json\ndoor=url&version=1\n{"url": "http://example.com/cat.png"}',
    ]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    if image.mode == "LAB":
        image = Image.new("LAB", image.size)
    stream = io.BytesIO()
    image.save(stream, kind, **{name: value for name, value in options.items() if value})
    return stream.getvalue()


def mutated(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Changes an input at random; corrects the checksums of a PNG."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 16))):
        _change(changed, rng, others)
    return with_checksums(bytes(changed)) if rng.random() < 0.9 else bytes(changed)


def _change(data: bytearray, rng: random.Random, others: list[bytes]) -> None:
    # Headers are at the front, so most changes should be, too.
    end = len(data) if rng.random() < 0.5 else min(len(data), 200)
    at = rng.randrange(1, max(2, end))
    length = min(rng.choice((1, 2, 4, 8, 64, 1024)), len(data) - at)
    match rng.randrange(8):
        case 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        case 1 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 2:
            odd = rng.choice(ODD_NUMBERS)
            data[at : at + len(odd)] = odd
        case 3:
            word = rng.choice(WORDS)
            data[at : at + rng.choice((0, len(word)))] = word
        case 4:
            del data[at : at + length]
        case 5:
            data[at:at] = data[at : at + length] * rng.choice((1, 1, 2, 50))
        case 6:
            del data[at:]
        case 7 if others:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            data[at : at + length] = other[start : start + length]


def with_checksums(data: bytes) -> bytes:
    """Corrects the checksum of every chunk of a PNG; returns other data unchanged."""
    start = data.find(b"\x89PNG\r\n\x1a\n")
    if start < 0:
        return data
    fixed = bytearray(data)
    at = start + 8
    while at + 12 <= len(fixed):
        end = at + 8 + int.from_bytes(fixed[at : at + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(fixed)
