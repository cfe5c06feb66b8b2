"""Compares an exported model's own signatures with the app's pipeline, image by image."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw

from image_classifier.errors import ClassifierError
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.models.loaded_model import LoadedModel
from tools.shared.agreement import Agreement, ScorePair, agreement_of
from tools.shared.errors import ToolError
from tools.shared.image_folders import MOST_PIXELS, UNREADABLE, reason

__all__ = ["Verification", "verify"]

# The formats that TensorFlow decodes as Pillow does.
_FORMATS = frozenset({"JPEG", "PNG", "GIF", "BMP", "WEBP"})
_UPRIGHT = 1  # of EXIF's orientations
MOST_SUM_ERROR = 0.01  # of probabilities, whose sum should be 1


@dataclass(frozen=True)
class Verification:
    """The agreement of an export's signatures with the app's pipeline.

    Attributes:
        images: the agreement on all images.
        exact: the agreement on the images that have the network's size already.
        largest_sum_error: how far the sum of an image's probabilities is from 1.
        left_out: files that were not compared, with the reasons.
    """

    images: Agreement
    exact: Agreement
    largest_sum_error: float
    left_out: Mapping[Path, str]

    def judge(self, *, tolerance: float, exact: float) -> None:
        """Raises a ToolError unless they agree.

        Args:
            tolerance: the largest difference of two probabilities.
            exact: the same on images that have the network's size already.
        """
        largest, largest_exact = self.images.largest_difference, self.exact.largest_difference
        # Written so that a difference that is not a number is refused, too.
        if not (largest <= tolerance and largest_exact <= exact):
            raise ToolError(
                "The exported signatures and the app's pipeline differ by "
                f"{largest:.2g} (at most {tolerance:g}), on images of the network's own size by "
                f"{largest_exact:.2g} (at most {exact:g}); most in {self.images.worst}."
                f"{self.advice()}"
            )

    def __str__(self) -> str:
        """One line with the figures."""
        return (
            f"{self.images.inputs} images: probabilities differ by at most "
            f"{self.images.largest_difference:.1e}, by {self.exact.largest_difference:.1e} where "
            "nothing is resized."
        )

    def advice(self) -> str:
        """Advice if the scores are not probabilities; empty if they are."""
        if self.largest_sum_error <= MOST_SUM_ERROR:
            return ""
        return (
            " The scores of an image do not add up to 1: if the model gives logits, export it "
            "with softmax."
        )


@dataclass(frozen=True)
class _Image:
    """A file to compare; ``path`` is None for a generated one."""

    name: str
    data: bytes
    image: Image.Image
    path: Path | None = None


def _given(images: Iterable[Path], left_out: dict[Path, str]) -> Iterator[_Image]:
    """Yields the files that both sides read alike; notes the reasons against the others."""
    for path in images:
        try:
            data = path.read_bytes()
            image = decode(data, max_pixels=MOST_PIXELS)
        except UNREADABLE as exc:
            left_out[path] = reason(exc)
            continue
        if unlike := _unlike(data):
            left_out[path] = unlike
        else:
            yield _Image(path.name, data, image, path)


def _unlike(data: bytes) -> str:
    """The reason why TensorFlow reads an image differently in any export; else empty.

    Its decoder ignores the EXIF orientation and the palette of a BMP, and knows fewer formats.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.format not in _FORMATS:
            return f"TensorFlow reads no {image.format}"
        if image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) != _UPRIGHT:
            return "TensorFlow does not turn it upright"
        if image.format == "BMP" and image.mode == "P":
            return "TensorFlow takes its palette for greys"
    return ""


def _generated(input_spec: InputSpec) -> Iterator[tuple[str, bytes]]:
    """Yields files of every kind that callers send."""
    size = (input_spec.width, input_spec.height)
    drawn = _drawn((317, 203))
    yield "JPEG of its own size", _file(_drawn(size), "JPEG", quality=92)
    yield "PNG of its own size", _file(_drawn(size), "PNG")
    yield "JPEG, wide", _file(drawn, "JPEG", quality=92)
    yield "JPEG, upright", _file(drawn.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=80)
    yield "JPEG, grey", _file(drawn.convert("L"), "JPEG")
    yield "progressive JPEG", _file(drawn, "JPEG", progressive=True)
    yield "PNG, grey", _file(drawn.convert("L"), "PNG")
    yield "PNG, palette", _file(drawn.quantize(32), "PNG")
    faded = drawn.copy()
    faded.putalpha(Image.linear_gradient("L").resize(drawn.size))
    yield "PNG, transparent", _file(faded, "PNG")
    yield "PNG, grey and transparent", _file(faded.convert("LA"), "PNG")
    yield "PNG, black and white", _file(drawn.convert("1"), "PNG")
    yield "JPEG, CMYK", _file(drawn.convert("CMYK"), "JPEG")
    yield "WebP", _file(drawn, "WEBP", quality=80)
    yield "GIF", _file(drawn.quantize(64), "GIF")
    yield "BMP", _file(drawn, "BMP")
    yield "odd size", _file(_drawn((131, 97)), "PNG")
    yield "tiny", _file(_drawn((5, 3)), "PNG")
    yield "one pixel", _file(Image.new("RGB", (1, 1), (200, 90, 30)), "PNG")
    yield "large", _file(_drawn((1900, 1300)), "JPEG", quality=85)


def verify(loaded: LoadedModel, images: Iterable[Path]) -> Verification:
    """Runs the signature ``probabilities`` on each image, and the pipeline with ``tensors``.

    Args:
        loaded: the model, as the app loads it.
        images: files to compare, besides generated ones; files that cannot be compared are left
            out.
    """
    saved, engine = loaded.saved_model, loaded.engine
    assert saved is not None
    left_out: dict[Path, str] = {}
    generated = (
        _Image(name, data, decode(data, max_pixels=MOST_PIXELS))
        for name, data in _generated(engine.input_spec)
    )
    network_size = (engine.input_spec.width, engine.input_spec.height)
    pairs: list[ScorePair] = []
    exact: list[ScorePair] = []
    for each in itertools.chain(_given(images, left_out), generated):
        file = np.empty(1, object)
        file[0] = each.data
        keys = ("label", "probabilities")
        try:
            outputs = saved.run_signature("probabilities", {"image": file}, keys)
        except ClassifierError as exc:
            if each.path is None:
                raise
            left_out[each.path] = f"TensorFlow cannot read it: {exc.message}"
            continue
        expected = engine.predict(preprocess(each.image, engine.input_spec)[None])[0]
        pairs.append(ScorePair(each.name, expected, outputs["probabilities"][0]))
        if each.image.size == network_size:
            exact.append(pairs[-1])
    sums = [abs(float(pair.reference.sum()) - 1) for pair in pairs]
    return Verification(agreement_of(pairs), agreement_of(exact), float(np.max(sums)), left_out)


def _drawn(size: tuple[int, int]) -> Image.Image:
    """Draws an image with slopes, edges and thin lines, smooth enough to resemble a photograph."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    red = 255 * x / max(1, size[0] - 1)
    green = 255 * y / max(1, size[1] - 1)
    blue = 127 + 120 * np.sin(x / 17 + y / 11)
    image = Image.fromarray(np.stack([red, green, blue], -1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse([size[0] * 0.2, size[1] * 0.2, size[0] * 0.7, size[1] * 0.8], fill=(240, 220, 60))
    draw.line([0, 0, size[0], size[1]], fill=(20, 30, 160), width=max(1, min(size) // 40))
    return image


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
