"""Defines the results of calls that are no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Classification", "ModelMetadata", "Signature", "TensorInfo", "VersionStatus"]


class Classification(NamedTuple):
    """One label of an image.

    Attributes:
        label: its text.
        probability: 0..1.
    """

    label: str
    probability: float


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
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class ModelMetadata:
    """A model and its signatures.

    Attributes:
        name: of the model.
        version: the one that answers.
        signatures: by name.
    """

    name: str
    version: int
    signatures: Mapping[str, Signature]


@dataclass(frozen=True)
class VersionStatus:
    """The status of one version.

    Attributes:
        version: its number.
        state: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END``.
        message: why it is not available; "" if nothing is wrong.
    """

    version: int
    state: str
    message: str = ""
