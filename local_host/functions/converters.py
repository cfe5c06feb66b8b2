"""Converts the values of bindings, with the converters of ``azure.functions``."""

from __future__ import annotations

from typing import Any

import azure.functions
from azure.functions.meta import Datum

__all__ = ["RESPONSE", "accepts", "converter_for", "encode_output", "is_generic"]

# The type of a Datum that holds a whole HttpResponse; the library has none for it.
RESPONSE = "response"


def converter_for(binding_type: str) -> Any:
    """The library's converter for a binding type, as Microsoft's worker finds it.

    Returns:
        None for types that the library does not know; their values are passed as text.
    """
    registry: Any = azure.functions.get_binding_registry  # has no type hints
    return registry().get(binding_type)


def is_generic(binding_type: str) -> bool:
    """Whether the library has no converter for the type, so that values are passed as text."""
    return converter_for(binding_type) is None


def accepts(binding_type: str, annotation: Any, *, out: bool) -> bool:
    """Whether a binding of the type accepts the annotation, as output or as input."""
    converter = converter_for(binding_type)
    try:
        if converter is None:
            return issubclass(annotation, (str, bytes, bytearray) if out else (str, bytes))
        check = (
            converter.check_output_type_annotation if out else converter.check_input_type_annotation
        )
        return bool(check(annotation))
    except TypeError:  # an annotation such as list[str], which is not a class
        return False


def encode_output(binding_type: str, value: Any) -> Any:
    """Converts the value of an output binding to a Datum.

    Raises:
        TypeError: the binding's converter does not take a value of this type.
    """
    if type(value) is azure.functions.HttpResponse and binding_type == "http":
        # Kept whole for http_messages.to_response: taking it apart costs each response 0.06 ms.
        return Datum(value, RESPONSE)
    converter = converter_for(binding_type)
    if converter is None:
        kinds = {str: "string", bytes: "bytes", bytearray: "bytes", type(None): None}
        return Datum(value, kinds.get(type(value), "json"))
    try:
        return converter.encode(value, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "{converter}" for '
            f'Python type "{type(value).__name__}"'
        ) from None
