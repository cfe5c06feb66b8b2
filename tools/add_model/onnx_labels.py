"""Reads the labels inside an ONNX file, as exports of Custom Vision of 2018 and 2019 have them.

The output of these is a map from label to probability, which the operation ZipMap makes.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["labels_in"]


def labels_in(weights: Path) -> tuple[str, ...]:
    """Reads the labels in the order of the scores; none if the file has none or is not ONNX."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        nodes = onnx.load(str(weights), load_external_data=False).graph.node
        maps = [node for node in nodes if node.op_type == "ZipMap"]
        attributes = [each for node in maps for each in node.attribute]
        lists = [each.strings for each in attributes if each.name == "classlabels_strings"]
        labels = tuple(text.decode("utf-8") for text in lists[0]) if len(lists) == 1 else ()
    except (DecodeError, UnicodeDecodeError):
        return ()
    # Others do not fit a file with one label a line.
    return labels if all(label == label.strip() and label.isprintable() for label in labels) else ()
