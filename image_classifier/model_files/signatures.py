"""Defines signatures: the named inputs and outputs of a model, in TensorFlow's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DEFAULT_SIGNATURE",
    "NUMPY_DTYPES",
    "PREDICT_METHOD",
    "Array",
    "Servable",
    "Signature",
    "TensorInfo",
    "short_dtype",
]

Array = NDArray[Any]

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"

# TensorFlow's name of each type -> NumPy's. A DT_STRING is an object array of bytes.
NUMPY_DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "DT_FLOAT": np.dtype(np.float32),
        "DT_DOUBLE": np.dtype(np.float64),
        "DT_HALF": np.dtype(np.float16),
        "DT_INT8": np.dtype(np.int8),
        "DT_INT16": np.dtype(np.int16),
        "DT_INT32": np.dtype(np.int32),
        "DT_INT64": np.dtype(np.int64),
        "DT_UINT8": np.dtype(np.uint8),
        "DT_UINT16": np.dtype(np.uint16),
        "DT_UINT32": np.dtype(np.uint32),
        "DT_UINT64": np.dtype(np.uint64),
        "DT_BOOL": np.dtype(np.bool_),
        "DT_COMPLEX64": np.dtype(np.complex64),
        "DT_COMPLEX128": np.dtype(np.complex128),
        "DT_STRING": np.dtype(object),
    }
)


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
        name: of the tensor in the graph, such as ``Placeholder:0``.
        dtype: TensorFlow's name, such as ``DT_FLOAT``.
        shape: -1 stands for any size; None means that not even the rank is known.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model under one signature name.

    Attributes:
        inputs: by the name that callers use.
        outputs: likewise.
        method_name: TensorFlow's, such as ``tensorflow/serving/predict``.
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method_name: str = field(default=PREDICT_METHOD)


class Servable(Protocol):
    """A loaded model, as clients of TensorFlow Serving see it. Safe to call from many threads."""

    signatures: Mapping[str, Signature]

    def run_signature(
        self, signature_name: str, inputs: Mapping[str, Array], outputs: Sequence[str]
    ) -> dict[str, Array]:
        """Runs one signature.

        Args:
            signature_name: a key of ``signatures``.
            inputs: an array for each of the signature's inputs, under its name there.
            outputs: names in the signature's outputs; only these are computed.

        Returns:
            An array for each name in ``outputs``.

        Raises:
            ClassifierError: the inputs cannot be used, or the model cannot run.
        """
        ...


def short_dtype(name: str) -> str:
    """The name of a type in TensorFlow's error messages: ``float`` for ``DT_FLOAT``."""
    return name.removeprefix("DT_").lower()
