"""Makes an ONNX file by tf2onnx, with the input specification as metadata, and int8 weights."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import first_line
from image_classifier.engines.onnx_metadata import INPUT_SPEC_KEY
from image_classifier.errors import ModelError
from tools.convert.graphs import FrozenModel

__all__ = ["OPSET", "convert", "quantize"]

# Supported since ONNX Runtime 1.13 (2022); classifiers use no later operations.
OPSET = 17


def convert(model: FrozenModel) -> bytes:
    """Converts a frozen graph.

    Returns:
        The ONNX file, with the input specification in its metadata.

    Raises:
        ModelError: the graph has an operation that ONNX lacks, such as the decoding of images.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    input_spec = model.input_spec
    try:
        with _each_weight_once():
            proto, _ = tf2onnx.convert.from_graph_def(
                model.graph_def,
                input_names=[input_spec.input_name],
                output_names=[input_spec.output_name],
                opset=OPSET,
            )
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as exc:
        raise ModelError(f"{model.source} cannot be converted: {first_line(exc)}.") from exc
    return _with_input_spec(proto, model)


def quantize(data: bytes, model: FrozenModel, tensors: Iterable[NDArray[np.float32]]) -> bytes:
    """Turns weights and activations into int8, with ranges measured on real inputs.

    Args:
        data: the ONNX file from ``convert``.
        model: has the input specification.
        tensors: inputs to measure the ranges on, about a hundred.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    feeds = ({model.input_spec.input_name: tensor[None]} for tensor in tensors)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Any:
            return next(feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / name for name in ("a", "b", "c"))
        source.write_bytes(data)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(target),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # 7 bits: processors without VNNI would saturate with 8.
            reduce_range=True,
        )
        return _with_input_spec(onnx.load(str(target)), model)


@contextlib.contextmanager
def _each_weight_once() -> Iterator[None]:
    """Keeps tf2onnx from copying all weights about fifty times: VGG-16 took more than 19 GB.

    After each step tf2onnx writes every constant into a message again, whose memory is freed only
    at the end; and no code reads that message, as the file is made of the constants. Before each
    step it copies the whole graph, to restore it if the step fails.
    """
    from tf2onnx.graph import Node

    written, variable = Node.update_proto, "TF2ONNX_CATCH_ERRORS"
    before = os.environ.get(variable)

    def update_proto(node: Any, external_tensor_storage: Any = None) -> None:
        if not node.is_const():
            written(node, external_tensor_storage)

    Node.update_proto = update_proto
    os.environ[variable] = "FALSE"
    try:
        yield
    finally:
        Node.update_proto = written
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def _with_input_spec(proto: Any, model: FrozenModel) -> bytes:
    del proto.metadata_props[:]
    entry = proto.metadata_props.add()
    entry.key, entry.value = INPUT_SPEC_KEY, json.dumps(model.input_spec.as_dict())
    return bytes(proto.SerializeToString(deterministic=True))
