from __future__ import annotations

from typing import Any

import azure.functions

__all__ = ["converter_for"]


def converter_for(binding_type: str) -> Any:
    """The library's converter for a binding type, as Microsoft's worker finds it.

    Returns:
        None for types that the library does not know: text goes in and out as it is.
    """
    registry: Any = azure.functions.get_binding_registry  # has no type hints
    return registry().get(binding_type)
