"""Does the work of every peer for one request: decode, preprocess, run, answer.

The pieces are the project's own, so that servers are compared and nothing else. Imported in the
peers' environments, which have the packages that this import needs (``app_packages.py``) and none
of the project's tools.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnxruntime as ort
from PIL import Image, ImageOps

from image_classifier.engines.onnx_metadata import INPUT_SPEC_KEY
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import parse_input_spec

MODEL, THREADS, DECODER = "PEER_MODEL", "PEER_THREADS", "PEER_DECODER"
MAX_PIXELS = 50_000_000


def _decode_checked(data: bytes) -> Image.Image:
    return decode(data, max_pixels=MAX_PIXELS)


def _decode_bare(data: bytes) -> Image.Image:
    """Decodes with Pillow alone and checks nothing."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


DECODERS: dict[str, Callable[[bytes], Image.Image]] = {
    "checked": _decode_checked,
    "bare": _decode_bare,
}


class Work:
    """A loaded model. Safe to call from many threads.

    Args:
        folder: holds ``model.onnx``, made by ``tools.convert``, and ``labels.txt``.
        threads: for one inference.
        decoder: a key of ``DECODERS``.
    """

    def __init__(self, folder: Path, *, threads: int, decoder: str = "checked") -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._input_spec = parse_input_spec(metadata[INPUT_SPEC_KEY], where=str(folder))
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._labels = (folder / "labels.txt").read_text("utf-8").split()
        self._decode = DECODERS[decoder]

    @classmethod
    def from_environ(cls) -> Work:
        """Loads the model that the environment names."""
        environ = os.environ
        threads = int(environ[THREADS])
        return cls(Path(environ[MODEL]), threads=threads, decoder=environ.get(DECODER, "checked"))

    def answer(self, data: bytes) -> dict[str, Any]:
        """Returns the tutorial's answer for one encoded image."""
        tensor = preprocess(self._decode(data), self._input_spec)
        scores = self._session.run([self._output], {self._input: tensor[None]})[0][0].tolist()
        best = max(range(len(scores)), key=scores.__getitem__)
        return {
            "created": datetime.now(UTC).replace(tzinfo=None).isoformat(),
            "predictedTagName": self._labels[best],
            "prediction": [
                {"tagName": label, "probability": round(score, 8)}
                for label, score in zip(self._labels, scores, strict=True)
            ],
        }

    def answer_json(self, data: bytes) -> bytes:
        """The same as JSON in UTF-8."""
        return json.dumps(self.answer(data), ensure_ascii=False).encode()
