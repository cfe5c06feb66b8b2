"""Reads ``labels.txt``: the tags of a model, in the order of its output."""

from __future__ import annotations

from pathlib import Path

from image_classifier.errors import ModelError

__all__ = ["LABELS_FILE", "read_labels"]

LABELS_FILE = "labels.txt"


def read_labels(folder: Path) -> tuple[str, ...]:
    """Reads ``labels.txt``: one label a line, UTF-8 with or without BOM, CRLF or LF, stripped.

    Args:
        folder: the version folder that holds it.

    Raises:
        ModelError: the file is missing, empty, not UTF-8, or has an empty line between labels.
    """
    path = folder / LABELS_FILE
    try:
        lines = path.read_text("utf-8-sig").strip().splitlines()
    except FileNotFoundError as exc:
        raise ModelError(
            f"{path} is missing: it must have one label a line, in the order of the output."
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelError(f"{path} cannot be read as UTF-8 text: {exc}.") from exc
    labels = tuple(line.strip() for line in lines)
    if not labels or not all(labels):
        raise ModelError(f"{path} is empty or has an empty line: it must have one label a line.")
    return labels
