"""Loads a model to export from a file, from a folder, or by calling a function."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.shared.errors import ToolError

__all__ = ["input_size", "load_source"]


def load_source(text: str) -> Any:
    """Loads a model.

    Args:
        text: a ``.keras`` or ``.h5`` file, a SavedModel's folder, or ``module:function`` or
            ``file.py:function``, a function without arguments that returns a Keras model.

    Raises:
        ToolError: the text names none of these, or the model cannot be loaded.
    """
    path = Path(text)
    if path.is_file() and path.suffix in (".keras", ".h5"):
        import keras

        try:
            return keras.models.load_model(path, compile=False)
        except (ValueError, OSError, TypeError) as exc:
            first = str(exc).strip().split("\n", 1)[0]
            raise ToolError(f"{path} is no Keras model that can be loaded: {first}") from exc
    if (path / "saved_model.pb").is_file():
        return _saved_model(path)
    if ":" in text:
        return _made_by(*text.rsplit(":", 1))
    raise ToolError(
        f"{text} is no .keras file, no folder with a saved_model.pb, and no module:function."
    )


def input_size(model: Any) -> tuple[int, int] | None:
    """Returns height and width of a model's input; None if it has no fixed size."""
    shape = getattr(model, "input_shape", None)
    match shape:
        case (_, int(height), int(width), _):
            return height, width
    return None


def _saved_model(folder: Path) -> Any:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
        signatures = loaded.signatures
        # In models of this tool, serving_default decodes images.
        signature = signatures.get("tensors") or signatures["serving_default"]
    except (OSError, ValueError, KeyError) as exc:
        raise ToolError(
            f"{folder} has no signature tensors or serving_default that loads: {exc}."
        ) from exc
    specs = signature.structured_input_signature[1]
    inputs = list(specs)
    outputs = list(signature.structured_outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ToolError(
            f"{folder}: its signature has inputs {', '.join(inputs)} and outputs "
            f"{', '.join(outputs)}; an image classifier has one of each."
        )

    class Wrapped(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.loaded = loaded
            self.input_shape = tuple(specs[inputs[0]].shape.as_list())

        def __call__(self, batch: Any) -> Any:
            return signature(**{inputs[0]: tf.convert_to_tensor(batch)})[outputs[0]]

    return Wrapped()


def _made_by(where: str, name: str) -> Any:
    try:
        if where.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(where).stem, where)
            if spec is None or spec.loader is None:
                raise ImportError(f"{where} cannot be read")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
        make: Callable[[], Any] = getattr(module, name)
    except (ImportError, OSError, AttributeError) as exc:
        raise ToolError(f"{where}:{name} is not there: {exc}.") from exc
    return make()
