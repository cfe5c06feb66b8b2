"""Classifies as the tutorial does: the baseline that the app is compared with.

The algorithm is that of the script in the Functions + TensorFlow tutorial, written anew: a Python
call of its own computes every pixel of the 256 x 256 square, and every image imports the graph
again and makes a session for it. Its numbers are those of the exporter's newest script (converted
to RGB, float32 instead of cut to whole numbers), so that the answers can be compared with ours;
that costs it no more time.

Where the tutorial can be read either way, the twin takes the quicker: the graph's file is read and
parsed once, not for each call.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONGEST_SIDE = 1600
SQUARE = 256
EXIF_ORIENTATION = 0x0112

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TutorialTwin:
    """Classifies the tutorial's way.

    Args:
        folder: holds ``model.pb`` and ``labels.txt``.
    """

    def __init__(self, folder: Path) -> None:
        from tensorflow.core.framework.graph_pb2 import GraphDef

        self._labels_file = folder / "labels.txt"
        self._graph_def = GraphDef.FromString((folder / "model.pb").read_bytes())

    def predict(self, data: bytes) -> dict[str, Any]:
        """Returns the tutorial's answer for one encoded image."""
        return self.predict_with_tensor(data)[0]

    def predict_with_tensor(self, data: bytes) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """Returns the same, and the tensor that the graph was fed."""
        import tensorflow as tf

        labels = [line.strip() for line in self._labels_file.read_text("utf-8").splitlines()]
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(self._graph_def, name="")
            size = graph.get_tensor_by_name("Placeholder:0").shape.as_list()[1]
            tensor = tensor_of(Image.open(io.BytesIO(data)), size)
            with tf.compat.v1.Session(graph=graph) as session:
                scores = session.run("loss:0", {"Placeholder:0": tensor[None]})[0]
        return _answer(labels, scores), tensor


def tensor_of(image: Image.Image, size: int) -> NDArray[np.float32]:
    """Makes the graph's input from an image: [size, size, 3], BGR, 0..255."""
    rgb = np.asarray(_at_most_1600(rgb_upright(image)))
    square = _centre_square(rgb[:, :, ::-1])
    start = max(0, SQUARE // 2 - size // 2)
    return np.ascontiguousarray(square[start : start + size, start : start + size])


def rgb_upright(image: Image.Image) -> Image.Image:
    """Mode RGB, turned as the EXIF data say."""
    step = _UPRIGHT.get(image.getexif().get(EXIF_ORIENTATION, 1))
    rgb = image.convert("RGB")
    return rgb if step is None else rgb.transpose(step)


def _at_most_1600(image: Image.Image) -> Image.Image:
    """A side of 1600 or more: the longer becomes 1600."""
    width, height = image.size
    longest = max(width, height)
    if longest < LONGEST_SIDE:
        return image
    by_half = LONGEST_SIDE / longest >= 0.5
    method = Image.Resampling.BILINEAR if by_half else Image.Resampling.BICUBIC
    if height > width:
        return image.resize((LONGEST_SIDE * width // height, LONGEST_SIDE), method)
    return image.resize((LONGEST_SIDE, LONGEST_SIDE * height // width), method)


def _centre_square(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The middle of the image as 256 x 256: one Python call for each pixel."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    left, top = int(0.5 * (width - side)), int(0.5 * (height - side))
    step = side / SQUARE
    square = np.zeros((SQUARE, SQUARE, 3), np.float32)
    for row in range(SQUARE):
        for column in range(SQUARE):
            square[row, column] = _pixel_between(pixels, column, row, step, left, top)
    return square


def _pixel_between(
    pixels: NDArray[np.uint8], column: int, row: int, step: float, left: int, top: int
) -> NDArray[np.float64]:
    """One pixel of the square, between four of the image."""
    height, width = pixels.shape[:2]
    x, right_share = _place(column, step, left, width)
    y, lower_share = _place(row, step, top, height)
    next_x, next_y = min(x + 1, width - 1), min(y + 1, height - 1)
    upper = (1.0 - right_share) * pixels[y, x] + right_share * pixels[y, next_x]
    lower = (1.0 - right_share) * pixels[next_y, x] + right_share * pixels[next_y, next_x]
    between: NDArray[np.float64] = (1.0 - lower_share) * upper + lower_share * lower
    return between


def _place(index: int, step: float, origin: int, length: int) -> tuple[int, float]:
    """The image's pixel at or before a sample, and the share of the one after it."""
    position = (index + 0.5) * step - 0.5
    pixel = int(position)  # towards zero: a sample left of the first pixel gets a negative share
    share = position - pixel
    pixel += origin
    if pixel < 0:
        return 0, 0.0
    if pixel >= length - 1:
        return length - 1, 0.0
    return pixel, share


def _answer(labels: list[str], scores: NDArray[np.float32]) -> dict[str, Any]:
    rounded = [(label, round(float(p), 8)) for label, p in zip(labels, scores, strict=True)]
    kept = [{"tagName": label, "probability": p} for label, p in rounded if p > 1e-8]
    best = max(kept, key=lambda tag: float(str(tag["probability"])), default=None)
    return {
        "created": datetime.now(UTC).replace(tzinfo=None).isoformat(),
        "predictedTagName": best["tagName"] if best else None,
        "prediction": kept,
    }
