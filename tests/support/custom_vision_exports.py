"""Small exports with the names, shapes and node order of Custom Vision's newer ones.

Whole exports of 224 pixels, of [S1] and of object detection were not to be had; what is known of
them is in shared/facts/custom_vision.md and in Azure-Samples/customvision-export-samples. These
have the same outside and next to no weights, and each answers something that a test can foresee:
the main colour of an image, or the place of its brightest spot. So a wrong channel order, mean
or crop is a wrong answer. All are deterministic, and built once a process.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "GENERAL_SIZE",
    "LABELS",
    "PLACES",
    "S1_SIZE",
    "Quantised",
    "Sees",
    "detection_graph",
    "general_graph",
    "manifest",
    "metadata_properties",
    "onnx",
    "s1_graph",
    "tflite",
    "to_tflite",
    "write_saved_model",
]

GENERAL_SIZE, S1_SIZE = 224, 300
_DETECTION_SIZES = {"general": 416, "s1": 320}

# What a graph that sees colours answers, and one that sees places: in which cell of the input, cut
# into 3 x 3, it is brightest. Dark: none has a bright spot of a twentieth of its size.
LABELS = ("Blue", "Green", "Red")
PLACES = ("NW", "N", "NE", "W", "Centre", "E", "SW", "S", "SE", "Dark")
BLOCK = 3
Sees = Literal["colour", "place"]

Quantised = Literal["uint8", "int8", "float16"]

_MEAN_BGR = np.array([104.0, 117.0, 123.0], np.float32)
_STEEPNESS = 1 / 16  # scores are brightness, 0..255, times this before Softmax
_JUST_BRIGHT = 255 / 20

_SERVING_DEFAULT = "serving_default"
_OPSET = 12  # Custom Vision's flavor of ONNX is called ONNX12


@cache
def general_graph(
    size: int = GENERAL_SIZE, *, softmax: bool = True, sees: Sees = "colour", data_bn: bool = True
) -> bytes:
    """General (compact): ``Placeholder`` [-1,size,size,3], BGR -> ``loss`` -> ``model_outputs``.

    Args:
        size: 224; 227 in the exports before 2020.
        softmax: for one tag an image; otherwise Sigmoid, for several.
        sees: what its labels are: LABELS or PLACES.
        data_bn: subtracts the mean; the oldest exports had it done outside.
    """
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, size, size, 3], name="Placeholder")
        if data_bn:
            # Batch normalization whose variance is 1, folded to a factor and an addend.
            pixels = tf.multiply(pixels, tf.ones([3]), name="data_bn/data_bn/mul")
            pixels = tf.add(pixels, tf.constant(-_MEAN_BGR), name="data_bn/data_bn/add_1")
        weights, bias = _weights(sees, LABELS, mean=float(_MEAN_BGR.mean()) if data_bn else 0.0)
        logits = _blocks(pixels, size, weights, bias)
        loss = (tf.nn.softmax if softmax else tf.nn.sigmoid)(logits, name="loss")
        tf.identity(loss, name="model_outputs")
    return bytes(graph.as_graph_def().SerializeToString(deterministic=True))


@cache
def s1_graph(size: int = S1_SIZE, *, softmax: bool = True, sees: Sees = "colour") -> bytes:
    """General (compact) [S1]: ``data`` [-1,300,300,3], RGB -> ``model_output``."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, size, size, 3], name="data")
        logits = _blocks(pixels, size, *_weights(sees, LABELS[::-1], mean=0.0))
        (tf.nn.softmax if softmax else tf.nn.sigmoid)(logits, name="model_output")
    return bytes(graph.as_graph_def().SerializeToString(deterministic=True))


@cache
def detection_graph(kind: Literal["general", "s1"] = "general", *, tags: int = 3) -> bytes:
    """Object detection: what the app must refuse.

    ``general``: ``Placeholder`` [-1,416,416,3] -> ``model_outputs`` [-1,13,13,5 * (5 + tags)], a
    grid with five anchors. ``s1``: ``image_tensor`` [-1,320,320,3] -> ``detected_boxes`` [64,4],
    ``detected_scores`` [64], ``detected_classes`` [64], all three without the batch.
    """
    import tensorflow as tf

    size = _DETECTION_SIZES[kind]
    shape = [None, size, size, 3]
    graph = tf.Graph()
    with graph.as_default():
        if kind == "general":
            pixels = tf.compat.v1.placeholder(tf.float32, shape, name="Placeholder")
            grid = _pool(pixels, 32, "block0/pool")
            kernel = np.full((1, 1, 3, 5 * (5 + tags)), 1 / 255, np.float32)
            grid = tf.nn.conv2d(grid, kernel, 1, "VALID", name="block1/conv/Conv2D")
            tf.identity(grid, name="model_outputs")
        else:
            pixels = tf.compat.v1.placeholder(tf.float32, shape, name="image_tensor")
            cells = tf.reshape(_pool(pixels, size // 8, "block0/pool"), [-1, 3])[:64]
            tf.concat([cells, cells[:, :1]], axis=1, name="detected_boxes")
            tf.reduce_mean(cells, axis=1, name="detected_scores")
            tf.argmax(cells, axis=1, output_type=tf.int32, name="detected_classes")
    return bytes(graph.as_graph_def().SerializeToString(deterministic=True))


def write_saved_model(graph: bytes, folder: Path) -> None:
    """Writes the flavor TensorFlowSavedModel of an export into a folder that may be there.

    One signature, ``serving_default``, whose keys are the tensors' names without ``:0``: of the
    outputs that is known from export-samples, of the input it is inferred.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary, _imported(graph) as session:
        inputs, outputs = _ends(graph, session.graph)
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {tensor.op.name: info(tensor) for tensor in inputs},
            {tensor.op.name: info(tensor) for tensor in outputs},
            "tensorflow/serving/predict",
        )
        written = Path(temporary) / "export"
        builder = v1.saved_model.Builder(str(written))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={_SERVING_DEFAULT: signature}
        )
        builder.save()
        (written / "saved_model.pb").replace(folder / "saved_model.pb")


@cache
def tflite(graph: bytes, quantised: Quantised | None = None) -> bytes:
    """The flavor TensorFlowLite (or, with ``float16``, TensorFlowLiteFloat16) of an export.

    ``uint8`` and ``int8``, for which Custom Vision has no flavor, quantise all of it, input and
    output too.
    """
    return to_tflite(graph, quantised)


def to_tflite(
    graph: bytes,
    quantised: Quantised | None = None,
    *,
    samples: Iterable[NDArray[np.float32]] | None = None,
    signature: bool = False,
    float_outside: bool = False,
) -> bytes:
    """Converts any frozen graph.

    Args:
        graph: a GraphDef; its inputs are its placeholders, its outputs what nothing consumes.
        quantised: see ``tflite``.
        samples: inputs [h,w,c] to measure the ranges on; by default flat and noisy images.
        signature: converts from a function's signature, as people do with Keras models: tensors
            are called ``serving_default_…:0`` and ``PartitionedCall:0``.
        float_outside: input and output stay float32, and the file quantises by itself.
    """
    import tensorflow as tf

    with (
        TemporaryDirectory() as folder,
        _imported(graph) as session,
        warnings.catch_warnings(action="ignore"),  # the converter's words on its own future
    ):
        inputs, outputs = _ends(graph, session.graph)
        if signature:
            _save_function(graph, folder, inputs[0].name, outputs[0].name)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        else:
            converter = tf.compat.v1.lite.TFLiteConverter.from_session(session, inputs, outputs)
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantised == "float16":
            converter.target_spec.supported_types = [tf.float16]
        elif quantised:
            shape = tuple(inputs[0].shape[1:])
            images = _samples(shape) if samples is None else samples
            converter.representative_dataset = lambda: ([image[None]] for image in images)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            outside = tf.float32 if float_outside else tf.as_dtype(quantised)
            converter.inference_input_type = converter.inference_output_type = outside
        return bytes(converter.convert())


@cache
def onnx(
    graph: bytes,
    *,
    s1: bool = False,
    labels: tuple[str, ...] = LABELS,
    pixel_range: str = "NominalRange_0_255",
) -> bytes:
    """The flavor ONNX12 of an export: channels first, Windows ML's words in the metadata.

    General: ``data`` -> ``classLabel``, a text, and ``loss``, a map from label to probability.
    [S1]: ``data`` -> ``model_output``, a tensor. General's object detection: ``model_outputs0``.
    """
    import onnx as onnx_library
    from onnx import TensorProto, helper
    from tf2onnx.convert import from_graph_def

    with _imported(graph) as session:
        inputs, outputs = _ends(graph, session.graph)
        names = [tensor.name for tensor in inputs], [tensor.name for tensor in outputs]
        rank = outputs[0].shape.rank
        definition = session.graph.as_graph_def()
    is_grid = rank == 4
    model, _ = from_graph_def(
        definition,
        input_names=names[0],
        output_names=names[1],
        opset=_OPSET,
        inputs_as_nchw=names[0],
        outputs_as_nchw=names[1] if is_grid else None,
    )
    renamed = {names[0][0]: "data", **{name: name.removesuffix(":0") for name in names[1]}}
    if not s1:
        renamed[names[1][0]] = "model_outputs0" if is_grid else "scores"
    _rename(model.graph, renamed)
    if not s1 and not is_grid:
        _add_label_and_map(model, labels)
    helper.set_model_props(
        model,
        {
            "Image.BitmapPixelFormat": "Rgb8" if s1 else "Bgr8",
            "Image.ColorSpaceGamma": "SRGB",
            "Image.NominalPixelRange": pixel_range,
        },
    )
    onnx_library.checker.check_model(model)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    return bytes(model.SerializeToString(deterministic=True))


def manifest(
    model: bytes | None = None,
    *,
    domain_type: str = "Classification",
    flavor: str | None = None,
    model_file: str = "model.pb",
    **changes: str | None,
) -> str:
    """A ``cvexport.manifest``.

    Args:
        model: the file that ModelFileSHA1 is of; without it the key is left out, as it is for the
            flavor TensorFlowSavedModel.
        domain_type: or ObjectDetection.
        flavor: null, TensorFlowNormal, TensorFlowSavedModel, TensorFlowLite, ONNX12 …
        model_file: what the weights are called.
        **changes: other values for keys, or further keys.
    """
    values: dict[str, str | None] = {
        "DomainType": domain_type,
        "Platform": "ONNX" if model_file.endswith(".onnx") else "TensorFlow",
        "Flavor": flavor,
        "ExporterVersion": "2.0",
        "ExportedDate": "2023-04-13T12:02:17.8476449Z",
        "IterationId": "1206e4db-9a1f-4da0-8f06-06ed2ea07240",
        "ModelFileName": model_file,
        "LabelFileName": "labels.txt",
        "MetadataPropsFileName": "metadata_properties.json",
        "SchemaVersion": "1.0",
    }
    if model is not None:
        values["ModelFileSHA1"] = hashlib.sha1(model).hexdigest()
    return json.dumps(values | changes, indent=2)


def metadata_properties(size: int = GENERAL_SIZE, **changes: str | None) -> str:
    """A ``metadata_properties.json`` of a 224-pixel export of 2020: every value is a text.

    Its pixel format is what a real one says, and not what the exporter's own scripts feed.

    Args:
        size: TargetHeight and TargetWidth.
        **changes: other values, for keys without "CustomVision." and with "_" for ".".
    """
    values: dict[str, str | None] = {
        "CustomVision.Metadata.AdditionalModelInfo": "",
        "CustomVision.Metadata.Version": "1.1",
        "CustomVision.Postprocess.Method": "ClassificationMultiClass",
        "CustomVision.Postprocess.Yolo.Biases": "null",
        "CustomVision.Postprocess.Yolo.NmsThreshold": "null",
        "CustomVision.Preprocess.CropHeight": "0",
        "CustomVision.Preprocess.CropMethod": "FullImageShorterSide",
        "CustomVision.Preprocess.CropWidth": "0",
        "CustomVision.Preprocess.MaxDimension": "0",
        "CustomVision.Preprocess.MaxScale": "0",
        "CustomVision.Preprocess.MinDimension": "0",
        "CustomVision.Preprocess.MinScale": "0",
        "CustomVision.Preprocess.NormalizeMean": "[0.0, 0.0, 0.0]",
        "CustomVision.Preprocess.NormalizeStd": "[1.0, 1.0, 1.0]",
        "CustomVision.Preprocess.ResizeMethod": "ByShorterSideAlign32",
        "CustomVision.Preprocess.TargetHeight": str(size),
        "CustomVision.Preprocess.TargetWidth": str(size),
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "Normalized_0_1",
    }
    for key, value in changes.items():
        name = key.replace("_", ".")
        values[name if name.startswith("Image.") else f"CustomVision.{name}"] = value
    return json.dumps(values, indent=4)


def _blocks(pixels: Any, size: int, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    """What the images of ShuffleNet's three blocks and its last layer come to."""
    import tensorflow as tf

    kernel = np.eye(3, dtype=np.float32)[None, None]
    found = tf.nn.conv2d(pixels, kernel, 1, "VALID", name="block0/conv/Conv2D")
    found = _pool(found, size // BLOCK, "block1/pool")
    found = tf.reshape(found, [-1, BLOCK * BLOCK * 3], name="block2/flatten")
    found = tf.matmul(found, tf.constant(weights), name="fc/fc/MatMul")
    return tf.nn.bias_add(found, tf.constant(bias), name="fc/fc")


def _pool(pixels: Any, step: int, name: str) -> Any:
    import tensorflow as tf

    return tf.nn.avg_pool2d(pixels, step, step, "VALID", name=name)


def _weights(
    sees: Sees, channels: tuple[str, ...], *, mean: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights [27, K] and bias [K] of the last layer.

    Args:
        sees: see ``general_graph``.
        channels: the colours of the input's channels, in their order.
        mean: what the graph has subtracted from the pixels.
    """
    cells = BLOCK * BLOCK
    weights: NDArray[np.float32]
    if sees == "colour":
        weights = np.zeros((cells, 3, len(LABELS)), np.float32)
        for position, colour in enumerate(channels):
            weights[:, position, LABELS.index(colour)] = _STEEPNESS / cells
        bias = np.zeros(len(LABELS), np.float32)
    else:
        weights = np.zeros((cells, 3, len(PLACES)), np.float32)
        for cell in range(cells):
            weights[cell, :, cell] = _STEEPNESS / 3
        bias = np.zeros(len(PLACES), np.float32)
        bias[-1] = (_JUST_BRIGHT - mean) * _STEEPNESS
    return weights.reshape(cells * 3, -1), bias


def _samples(shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    flat = [np.full(shape, value, np.float32) for value in (0, 255)]
    for channel in range(3):
        flat.append(np.zeros(shape, np.float32))
        flat[-1][..., channel] = 255
    return [*flat, rng.uniform(0, 255, shape).astype(np.float32)]


def _imported(graph: bytes) -> Any:
    """A session of a graph that holds this one."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(graph)
    holder = tf.Graph()
    with holder.as_default():
        tf.import_graph_def(definition, name="")
    return tf.compat.v1.Session(graph=holder)


def _save_function(graph: bytes, folder: str, feed: str, fetch: str) -> None:
    """Writes a graph as TensorFlow 2 saves functions."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(graph)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    pruned = wrapped.prune(wrapped.graph.get_tensor_by_name(feed), {"scores": fetch})
    module = tf.Module()
    module.serve = tf.function(lambda image: pruned(image), autograph=False)
    spec = tf.TensorSpec(pruned.inputs[0].shape, pruned.inputs[0].dtype, feed.removesuffix(":0"))
    tf.saved_model.save(module, folder, module.serve.get_concrete_function(spec))


def _ends(graph: bytes, holder: Any) -> tuple[list[Any], list[Any]]:
    """The tensors that are fed, and those that no node consumes."""
    import tensorflow as tf

    nodes = tf.compat.v1.GraphDef.FromString(graph).node
    consumed = {name.partition(":")[0].lstrip("^") for node in nodes for name in node.input}
    inputs = [node.name for node in nodes if node.op == "Placeholder"]
    outputs = [node.name for node in nodes if node.name not in consumed]

    def tensors(names: list[str]) -> list[Any]:
        return [holder.get_tensor_by_name(f"{name}:0") for name in names]

    return tensors(inputs), tensors(outputs)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """Gives tensors of an ONNX graph other names."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for info in [*graph.input, *graph.output, *graph.value_info]:
        info.name = names.get(info.name, info.name)


def _add_label_and_map(model: Any, labels: tuple[str, ...]) -> None:
    """Replaces the output ``scores`` by ``classLabel`` and ``loss``."""
    from onnx import TensorProto, helper

    graph, domain = model.graph, "ai.onnx.ml"
    texts = [label.encode() for label in labels]
    graph.initializer.extend(
        [
            helper.make_tensor("labels", TensorProto.STRING, [len(texts)], texts),
            helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1]),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
            helper.make_node("ArrayFeatureExtractor", ["labels", "best"], ["row"], domain=domain),
            helper.make_node("Reshape", ["row", "column"], ["classLabel"]),
            helper.make_node(
                "ZipMap", ["scores"], ["loss"], domain=domain, classlabels_strings=list(labels)
            ),
        ]
    )
    number = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    row = helper.make_map_type_proto(TensorProto.STRING, number)
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("classLabel", TensorProto.STRING, [None, 1]),
            helper.make_value_info("loss", helper.make_sequence_type_proto(row)),
        ]
    )
    if not any(opset.domain == domain for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(domain, 1))
