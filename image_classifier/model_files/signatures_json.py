"""Reads and writes ``signatures.json``: a SavedModel's signatures, for every engine.

``tools.zoo`` writes it. A ``model.onnx`` that was converted from the SavedModel has no signatures
of its own; with this file callers need not know which of the two answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from image_classifier.errors import ModelError
from image_classifier.model_files.signatures import (
    DEFAULT_SIGNATURE,
    NUMPY_DTYPES,
    Signature,
    TensorInfo,
)

__all__ = ["SIGNATURES_FILE", "read_default_signature", "signatures_as_dict"]

SIGNATURES_FILE = "signatures.json"


def signatures_as_dict(signatures: dict[str, Signature]) -> dict[str, Any]:
    """The content of the file: tensor, dtype and shape of each input and output."""
    return {
        name: {
            side: {
                key: {
                    "tensor": info.name,
                    "dtype": info.dtype,
                    "shape": None if info.shape is None else list(info.shape),
                }
                for key, info in infos.items()
            }
            for side, infos in (("inputs", signature.inputs), ("outputs", signature.outputs))
        }
        for name, signature in signatures.items()
    }


def read_default_signature(folder: Path) -> Signature | None:
    """The signature of requests that name none; None if the folder has no such file.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / SIGNATURES_FILE
    if not path.is_file():
        return None
    try:
        listed = json.loads(path.read_text("utf-8"))[DEFAULT_SIGNATURE]
        return Signature(_infos(listed["inputs"]), _infos(listed["outputs"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelError(
            f"{path} is not what tools.zoo writes ({type(exc).__name__}: {exc}): build the model "
            "again, or take the file away."
        ) from exc


def _infos(listed: Any) -> dict[str, TensorInfo]:
    infos = {}
    for key, each in listed.items():
        if each["dtype"] not in NUMPY_DTYPES:
            raise ValueError(f"there is no dtype {each['dtype']!r}")
        shape = each["shape"]
        sizes = None if shape is None else tuple(int(size) for size in shape)
        infos[key] = TensorInfo(str(each["tensor"]), each["dtype"], sizes)
    return infos
