"""Translates callers' names of inputs and outputs: signature keys, or the graph's tensor names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from image_classifier.model_files.signatures import (
    NUMPY_DTYPES,
    Array,
    Signature,
    TensorInfo,
    short_dtype,
)
from image_classifier.protocols.tf_serving.errors import Code, ServingError

__all__ = ["Names", "check_dtypes", "dtype_name", "key_of"]

_NAME_OF_DTYPE = {dtype: name for name, dtype in NUMPY_DTYPES.items()}


class Names:
    """Translates between a caller's names and a signature's keys.

    Args:
        signature: the signature asked for.
        by_tensor_names: the caller is known to use tensor names.
    """

    def __init__(self, signature: Signature, by_tensor_names: bool = False) -> None:
        self._signature = signature
        self._by_tensor_names = by_tensor_names

    def inputs(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Names the inputs by their keys.

        Raises:
            ServingError: there are too many, too few, or one that the signature does not have.
        """
        expected = self._signature.inputs
        keys = {name: key_of(name, expected) for name in given}
        self._by_tensor_names |= any(key not in (None, name) for name, key in keys.items())
        if len(given) != len(expected):
            sent = {key or name for name, key in keys.items()}
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"input size does not match signature: {len(given)}!={len(expected)} "
                f"len({_set(given)}) != len({_set(expected)}). "
                f"Sent extra: {_set(sent - set(expected))}. "
                f"Missing but required: {_set(set(expected) - sent)}.",
            )
        inputs: dict[str, Array] = {}
        for name, key in keys.items():
            if key is None or key in inputs:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"input tensor alias not found in signature: {name}. Inputs expected to be in "
                    f"the set {_set(expected)}.",
                )
            inputs[key] = given[name]
        # In the signature's order, not the caller's: the graph is always fed the same way.
        return {key: inputs[key] for key in expected}

    def outputs(self, output_filter: Sequence[str]) -> dict[str, str]:
        """Chooses the outputs to compute: the name in the response -> the key.

        Raises:
            ServingError: the signature does not have one, or it is named twice.
        """
        outputs = self._signature.outputs
        if not output_filter:
            return {(outputs[key].name if self._by_tensor_names else key): key for key in outputs}
        chosen: dict[str, str] = {}
        for name in output_filter:
            key = key_of(name, outputs)
            if key is None:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"output tensor alias not found in signature: {name} Outputs expected to be in "
                    f"the set {_set(outputs)}.",
                )
            if name in chosen:
                raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {name}")
            chosen[name] = key
        return chosen


def key_of(name: str, infos: Mapping[str, TensorInfo]) -> str | None:
    """Finds the key of an input or output by its key or its tensor's name."""
    if name in infos:
        return name
    return next((key for key, info in infos.items() if info.name == name), None)


def check_dtypes(signature: Signature, inputs: Mapping[str, Array]) -> None:
    """Rejects an input of another type than the signature's, in a TensorFlow session's words.

    Raises:
        ServingError: an input has another type.
    """
    for index, (key, info) in enumerate(signature.inputs.items()):
        given = inputs[key].dtype
        if NUMPY_DTYPES.get(info.dtype) != given:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Expects arg[{index}] to be {short_dtype(info.dtype)} but "
                f"{short_dtype(dtype_name(given))} is provided",
            )


def dtype_name(dtype: np.dtype[np.generic]) -> str:
    """Gives TensorFlow's name of a type, such as ``DT_FLOAT``; object arrays hold bytes."""
    return _NAME_OF_DTYPE[dtype]


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
