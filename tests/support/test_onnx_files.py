"""The committed ONNX model is the one that its maker writes."""

from __future__ import annotations

from tests.support.onnx_files import BGR8, COLOURS_ONNX, colour_onnx


def test_the_committed_model_is_made_anew_to_the_byte() -> None:
    assert COLOURS_ONNX.read_bytes() == colour_onnx(metadata=BGR8)
    assert len(COLOURS_ONNX.read_bytes()) < 1024
