"""Builds ONNX files that tests serve: the colour model of ``builders.py`` in all its shapes.

``python -m tests.support.onnx_files`` writes the one that is committed, ``colours.onnx``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.builders import model_folder
from tools.convert.onnx_file import OPSET

__all__ = ["BGR8", "COLOURS_ONNX", "colour_onnx", "onnx_folder"]

# Committed, so that only tests of conversion and of the engines need the packages that write one.
COLOURS_ONNX = Path(__file__).with_name("colours.onnx")

BGR8 = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}


def colour_onnx(
    *,
    metadata: dict[str, str] | None = None,
    channels_first: bool = True,
    as_map: bool = False,
    size: int = 32,
    output: str = "model_output",
    half: bool = False,
) -> bytes:
    """The colour model of ``builders`` as an ONNX file, in the shape of Custom Vision's own."""
    from onnx import TensorProto, helper

    number = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    shape = ["N", 3, size, size] if channels_first else ["N", size, size, 3]
    axes = [2, 3] if channels_first else [1, 2]
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Div", ["means", "sixteen"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["scores"], axis=1),
    ]
    outputs: list[Any]
    if as_map:
        labels = {"classlabels_strings": ["Red", "Green", "Blue"][::-1]}
        nodes.append(
            helper.make_node("ZipMap", ["scores"], ["loss"], domain="ai.onnx.ml", **labels)
        )
        of_float = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        kind = helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, of_float)
        )
        outputs = [helper.make_value_info("loss", kind)]
    else:
        nodes.append(helper.make_node("Identity", ["scores"], [output]))
        outputs = [helper.make_tensor_value_info(output, number, ["N", 3])]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("data", number, shape)],
        outputs,
        [helper.make_tensor("sixteen", number, [], [16.0])],
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=8)
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def onnx_folder(models: Path, data: bytes, **options: Any) -> Path:
    """Writes version 1 of the default model, ``digits``; the options are ``model_folder``'s."""
    return model_folder(models, "digits", onnx=data, **options)


if __name__ == "__main__":
    COLOURS_ONNX.write_bytes(colour_onnx(metadata=BGR8))
