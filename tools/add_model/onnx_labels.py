"""The labels inside an ONNX file: Custom Vision's exports of 2018 and 2019 had them nowhere else.

Their output is a map from label to probability, which the operation ZipMap makes.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["labels_in"]


def labels_in(weights: Path) -> tuple[str, ...]:
    """The labels in the order of the scores; empty if there are none, or it is no ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        nodes = onnx.load(str(weights), load_external_data=False).graph.node
        maps = [node for node in nodes if node.op_type == "ZipMap"]
        attributes = [each for node in maps for each in node.attribute]
        found = [each.strings for each in attributes if each.name == "classlabels_strings"]
        labels = tuple(text.decode("utf-8") for text in found[0]) if len(found) == 1 else ()
    except (DecodeError, UnicodeDecodeError):
        return ()
    # A file with one label a line can hold no others.
    return labels if all(label == label.strip() and label.isprintable() for label in labels) else ()
