"""Runs TensorFlow Serving's Classify, Regress and MultiInference on tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature, TensorInfo
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing, used_spec
from image_classifier.protocols.tf_serving.tensor_names import dtype_name

__all__ = [
    "CLASSIFY_METHOD",
    "REGRESS_METHOD",
    "ClassifyResult",
    "InferenceTask",
    "RegressResult",
    "classify",
    "multi_inference",
    "regress",
]

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"


@dataclass(frozen=True)
class ClassifyResult:
    """Labels and scores of each example.

    Attributes:
        spec: the model that answered.
        classifications: for each example its pairs of label and score. The label is "" where the
            model gives none, the score 0 likewise.
    """

    spec: ModelSpec
    classifications: Sequence[Sequence[tuple[bytes, float]]]


@dataclass(frozen=True)
class RegressResult:
    """One number for each example.

    Attributes:
        spec: the model that answered.
        values: the numbers.
    """

    spec: ModelSpec
    values: Sequence[float]


@dataclass(frozen=True)
class InferenceTask:
    """One part of a MultiInference.

    Attributes:
        spec: the model and the signature.
        method_name: ``CLASSIFY_METHOD`` or ``REGRESS_METHOD``.
    """

    spec: ModelSpec
    method_name: str


def classify(
    serving: TensorFlowServing, spec: ModelSpec, examples: Sequence[bytes]
) -> ClassifyResult:
    """Runs a signature with an input ``inputs`` and outputs ``classes``, ``scores`` or both.

    Args:
        serving: the models.
        spec: the model and the signature.
        examples: serialized ``tensorflow.Example`` messages.

    Raises:
        ServingError: the request cannot be answered.
    """
    loaded = serving.find(spec)
    key, signature = _signature(loaded, spec)
    return _classify(serving, loaded, key, signature, examples)


def regress(
    serving: TensorFlowServing, spec: ModelSpec, examples: Sequence[bytes]
) -> RegressResult:
    """Runs a signature with an input ``inputs`` and an output ``outputs``; see ``classify``."""
    loaded = serving.find(spec)
    key, signature = _signature(loaded, spec)
    return _regress(serving, loaded, key, signature, examples)


def multi_inference(
    serving: TensorFlowServing, tasks: Sequence[InferenceTask], examples: Sequence[bytes]
) -> list[ClassifyResult | RegressResult]:
    """Runs several signatures of one model on the same examples; raises ServingError."""
    if not tasks:
        raise ServingError(Code.INVALID_ARGUMENT, "Inference request must have at least one task.")
    names = {task.spec.name for task in tasks}
    if len(names) > 1:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        )
    loaded = serving.find(tasks[0].spec)  # one version answers all of them
    done: dict[str, ClassifyResult | RegressResult] = {}
    for task in tasks:
        key = task.spec.signature_name or DEFAULT_SIGNATURE
        if key in done:
            raise ServingError(Code.INVALID_ARGUMENT, f"Duplicate evaluation of signature: {key}")
        signature = loaded.signatures.get(key)
        if signature is None:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Requested signature not found in model graph: {key}"
            )
        if task.method_name not in (CLASSIFY_METHOD, REGRESS_METHOD):
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        run = _classify if task.method_name == CLASSIFY_METHOD else _regress
        done[key] = run(serving, loaded, key, signature, examples)
    return list(done.values())


def _signature(loaded: LoadedModel, spec: ModelSpec) -> tuple[str, Signature]:
    key = spec.signature_name or DEFAULT_SIGNATURE
    signature = loaded.signatures.get(key)
    if signature is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"No signature was found with the name: {key}")
    return key, signature


def _classify(
    serving: TensorFlowServing,
    loaded: LoadedModel,
    key: str,
    signature: Signature,
    examples: Sequence[bytes],
) -> ClassifyResult:
    _check_input(signature, "classification")
    if len(signature.outputs) not in (1, 2):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Expected one or two output Tensors, found {len(signature.outputs)}",
        )
    outputs = [name for name in (_CLASSES, _SCORES) if name in signature.outputs]
    if not outputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" '
            f'or "{_SCORES}". Signature was: {debug_string(signature)}',
        )
    arrays = serving.run_signature(loaded, key, {_INPUTS: _tensor(examples)}, outputs)
    for name, dtype in ((_CLASSES, "DT_STRING"), (_SCORES, "DT_FLOAT")):
        if name in arrays:
            _check_matrix(arrays[name], name, dtype, len(examples))
    classes, scores = arrays.get(_CLASSES), arrays.get(_SCORES)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. "
            f"{scores.shape[1]}",
        )
    shape = next(iter(arrays.values())).shape
    labels = classes if classes is not None else np.full(shape, b"", object)
    numbers = scores if scores is not None else np.zeros(shape, np.float32)
    pairs = [
        list(zip(row, values.tolist(), strict=True))
        for row, values in zip(labels, numbers, strict=True)
    ]
    return ClassifyResult(used_spec(loaded, key), pairs)


def _regress(
    serving: TensorFlowServing,
    loaded: LoadedModel,
    key: str,
    signature: Signature,
    examples: Sequence[bytes],
) -> RegressResult:
    _check_input(signature, "regression")
    if len(signature.outputs) != 1:
        raise ServingError(Code.INVALID_ARGUMENT, "Expected one output Tensor.")
    if _OUTPUTS not in signature.outputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"No regression outputs found in SignatureDef: {debug_string(signature)}",
        )
    values = serving.run_signature(loaded, key, {_INPUTS: _tensor(examples)}, [_OUTPUTS])[_OUTPUTS]
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{_shape(values)}",
        )
    if len(values) != len(examples):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Input batch size did not match output batch size: {len(examples)} vs. {len(values)}",
        )
    if values.dtype != np.float32:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Expected output Tensor of DT_FLOAT.  Got: {dtype_name(values.dtype)}",
        )
    return RegressResult(used_spec(loaded, key), values.reshape(-1).tolist())


def _check_input(signature: Signature, what: str) -> None:
    if len(signature.inputs) != 1:
        raise ServingError(Code.INVALID_ARGUMENT, "Expected one input Tensor.")
    if _INPUTS not in signature.inputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"No {what} inputs found in SignatureDef: {debug_string(signature)}",
        )


def _check_matrix(matrix: Array, name: str, dtype: str, examples: int) -> None:
    if matrix.ndim != 2:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape(matrix)}",
        )
    if dtype_name(matrix.dtype) != dtype:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Expected {name} Tensor of {dtype}. Got: {dtype_name(matrix.dtype)}",
        )
    if len(matrix) != examples:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Expected {name} output batch size of {examples}. Got: {len(matrix)}",
        )


def _tensor(examples: Sequence[bytes]) -> Array:
    if not examples:
        raise ServingError(Code.INVALID_ARGUMENT, "Input is empty.")
    tensor: Array = np.empty(len(examples), object)
    tensor[:] = examples
    return tensor


def _shape(array: Array) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def debug_string(signature: Signature) -> str:
    """Prints a signature as protobuf does, which TensorFlow Serving puts into errors."""
    lines: list[str] = []
    for field, infos in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        lines += _debug_lines(field, infos)
    if signature.method_name:
        lines.append(f'method_name: "{signature.method_name}"')
    return "\n".join(lines) + "\n"


def _debug_lines(field: str, infos: Mapping[str, TensorInfo]) -> list[str]:
    lines = []
    for key, info in infos.items():
        lines += [f"{field} {{", f'  key: "{key}"', "  value {", f'    name: "{info.name}"']
        lines += [f"    dtype: {info.dtype}", "    tensor_shape {"]
        for size in info.shape or ():
            lines += ["      dim {", f"        size: {size}", "      }"]
        if info.shape is None:
            lines.append("      unknown_rank: true")
        lines += ["    }", "  }", "}"]
    return lines
