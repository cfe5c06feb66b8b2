"""Reads a predict request's JSON into arrays, by rows (``instances``) or columns (``inputs``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.model_files.signatures import DEFAULT_SIGNATURE, Array, Signature, TensorInfo
from image_classifier.protocols.tf_serving.errors import ServingError, invalid_argument
from image_classifier.protocols.tf_serving.json.arrays import Column, column_of, is_base64, value_of
from image_classifier.protocols.tf_serving.json.value_format import shown
from image_classifier.protocols.tf_serving.tensor_names import key_of

__all__ = ["PredictJson", "parse_predict", "signature_name_of"]

_SIGNATURE, _ROWS, _COLUMNS = "signature_name", "instances", "inputs"


@dataclass(frozen=True)
class PredictJson:
    """A predict request.

    Attributes:
        signature_name: ``serving_default`` if the request names none.
        inputs: an array for each input, by its key in the signature.
        row: whether the request was by rows; the answer has the same form.
        used_tensor_names: whether the request named an input by its tensor.
    """

    signature_name: str
    inputs: Mapping[str, Array]
    row: bool
    used_tensor_names: bool


def parse_predict(document: dict[str, Any], signature: Signature) -> PredictJson:
    """Reads a predict request.

    Args:
        document: the request.
        signature: the one of the name that ``signature_name_of`` gives.

    Raises:
        ServingError: the request cannot be understood, or does not fit the signature.
    """
    name, infos = signature_name_of(document), signature.inputs
    if not infos:
        shown_name = document.get(_SIGNATURE) or "DEFAULT"
        raise invalid_argument(f"Failed to get input map for signature: {shown_name}")
    if _ROWS in document and _COLUMNS in document:
        raise _wrong(
            document,
            f"Not formatted correctly expecting only one of '{_COLUMNS}' or '{_ROWS}' keys to "
            "exist ",
        )
    names = _TensorNames(infos)
    if _ROWS in document:
        rows = document[_ROWS]
        if not isinstance(rows, list):
            raise _wrong(document, f"Expecting '{_ROWS}' to be an list/array")
        if not rows:
            raise _wrong(document, f"No values in '{_ROWS}' array")
        return PredictJson(name, _from_rows(rows, infos, names), True, names.used)
    if _COLUMNS in document:
        inputs = _from_columns(document[_COLUMNS], infos, names)
        return PredictJson(name, inputs, False, names.used)
    raise invalid_argument(f"Missing '{_COLUMNS}' or '{_ROWS}' key")


def signature_name_of(document: dict[str, Any]) -> str:
    """Reads the name of the requested signature; ``serving_default`` unless one is named.

    Raises:
        ServingError: it is no string.
    """
    name = document.get(_SIGNATURE, "")
    if not isinstance(name, str):
        raise _wrong(
            document, f"not formatted correctly. '{_SIGNATURE}' key must be a string value."
        )
    return name or DEFAULT_SIGNATURE


class _TensorNames:
    """Finds inputs by key or by tensor name, and remembers whether a tensor name was used."""

    def __init__(self, infos: Mapping[str, TensorInfo]) -> None:
        self._infos = infos
        self.used = False

    def key(self, name: str) -> str | None:
        if name in self._infos:
            return name
        key = key_of(name, self._infos)
        self.used |= key is not None
        return key

    def by_key(self, members: dict[str, Any]) -> dict[str, Any]:
        """Renames members to keys; members that are no inputs keep their names."""
        if members.keys() <= self._infos.keys():
            return members
        return {self.key(name) or name: value for name, value in members.items()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _from_rows(
    rows: list[Any], infos: Mapping[str, TensorInfo], names: _TensorNames
) -> dict[str, Array]:
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if not _is_object(rows[0]):
        key, info = next(iter(sorted(infos.items())))
        column = column_of(rows, info.dtype)
        if column is None:
            column = _plain_rows(rows, info.dtype)
        return {key: column}
    objects = [names.by_key(row) if _is_object(row) else row for row in rows]
    if all(_is_object(row) and row.keys() == infos.keys() for row in objects):
        columns: dict[str, Array] = {}
        for key, info in infos.items():
            column = column_of([row[key] for row in objects], info.dtype)
            if column is None:
                break
            columns[key] = column
        else:
            return columns
    return _object_rows(objects, infos)


def _plain_rows(rows: list[Any], dtype: str) -> Array:
    """Reads row by row where ``column_of`` cannot: to find the fault, or for texts."""
    column = Column(dtype)
    for index, row in enumerate(rows):
        if _is_object(row):
            raise invalid_argument(
                f"Expecting value/list but got object at item {index} of input list"
            )
        try:
            column.add(row)
        except ServingError as exc:
            raise invalid_argument(
                f"Failed to process element: {index} of '{_ROWS}' list. Error: {_status(exc)}"
            ) from exc
    return column.array()


def _object_rows(rows: list[Any], infos: Mapping[str, TensorInfo]) -> dict[str, Array]:
    columns: dict[str, Column] = {}
    for index, row in enumerate(rows):
        if not _is_object(row):
            raise invalid_argument(f"Expecting object but got list at item {index} of input list")
        for key, value in row.items():
            try:
                if key not in infos:
                    raise invalid_argument(f"JSON object: does not have named input: {key}")
                columns.setdefault(key, Column(infos[key].dtype)).add(value)
            except ServingError as exc:
                raise invalid_argument(
                    f"Failed to process element: {index} key: {key} of '{_ROWS}' list. "
                    f"Error: {_status(exc)}"
                ) from exc
        if row.keys() != infos.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of '{_ROWS}' list. JSON object: "
                f"{shown(row)} keys must be equal to: {','.join(sorted(infos))}"
            )
    return {key: column.array() for key, column in columns.items()}


def _from_columns(
    value: Any, infos: Mapping[str, TensorInfo], names: _TensorNames
) -> dict[str, Array]:
    if not _is_object(value):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        key, info = next(iter(infos.items()))
        return {key: value_of(value, info.dtype)}
    given = names.by_key(value)
    inputs = {}
    for key, info in sorted(infos.items()):
        if key not in given:
            raise invalid_argument(f"Missing named input: {key} in '{_COLUMNS}' object.")
        inputs[key] = value_of(given[key], info.dtype)
    return inputs


def _status(error: ServingError) -> str:
    return f"{error.code.name}: {error.message}"


def _wrong(document: Any, what: str) -> ServingError:
    return invalid_argument(f"JSON Value: {shown(document)} {what}")
