"""Finds the model and the metadata of an export, before any file is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_classifier.engines.registry import ENGINES, weights_files
from image_classifier.model_files.cvexport_manifest import (
    MOST_MANIFEST_BYTES,
    ExportManifest,
    parse_export_manifest,
)
from image_classifier.model_files.labels import LABELS_FILE
from tools.add_model.checks import check_kind
from tools.add_model.layout import Layout, find_manifest, find_model
from tools.add_model.metadata import Metadata, parse_metadata
from tools.model_sources.folder import Folder
from tools.model_sources.source import Source, read_text
from tools.model_sources.zip_archive import Archive
from tools.shared.errors import ToolError

__all__ = ["Export", "no_labels", "open_source", "read_export"]

_MOST_METADATA_BYTES = 1024**2
# The weights that may hold the labels.
_HAVE_LABELS = ENGINES["onnx"].weights


@dataclass(frozen=True)
class Export:
    """A classification export of a kind that the app can run.

    Attributes:
        source: the zip file or folder with the export.
        layout: the paths of its files.
        manifest_path: the path of its manifest, or None.
        manifest: the content of the manifest; empty without one.
        metadata: the content of the metadata; None if it is missing or unreadable.
        notes: sentences for the user.
    """

    source: Source
    layout: Layout
    manifest_path: str | None
    manifest: ExportManifest
    metadata: Metadata | None
    notes: tuple[str, ...] = ()


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Opens a zip file or a folder for the ``with`` block.

    Raises:
        ToolError: the path is neither, or must not be read.
    """
    if path.is_dir():
        source: Archive | Folder = Folder(path)
    elif path.name in weights_files():
        raise ToolError(f"{path} is the model alone: give the folder that holds it and its labels.")
    elif path.is_file():
        source = Archive(path)
    else:
        raise ToolError(f"{path} is not there: give the export's zip file, or an unpacked folder.")
    try:
        yield source
    finally:
        source.close()


def read_export(source: Source) -> Export:
    """Finds the model and reads its manifest and metadata.

    Raises:
        ToolError: the source is not a classification export that the app can run.
    """
    manifest_path = find_manifest(source.sizes)
    manifest = ExportManifest()
    if manifest_path is not None:
        text = read_text(source, manifest_path, most_bytes=MOST_MANIFEST_BYTES)
        try:
            manifest = parse_export_manifest(text)
        except ValueError as exc:
            raise ToolError(f"{manifest_path}: {exc} Export the iteration again.") from exc
    check_kind(manifest, Metadata())
    layout = find_model(source.sizes, manifest_path, manifest)
    if layout.labels is None and layout.weights_file not in _HAVE_LABELS:
        raise no_labels(layout)
    notes = []
    if layout.passed_over:
        notes.append(f"took {layout.weights_file}, passed over {', '.join(layout.passed_over)}")
    metadata = None
    if layout.metadata:
        text = read_text(source, layout.metadata, most_bytes=_MOST_METADATA_BYTES)
        try:
            metadata = parse_metadata(text)
        except ValueError as exc:
            notes.append(f"{layout.metadata} is left out: {exc}")
        else:
            check_kind(manifest, metadata)
    return Export(source, layout, manifest_path, manifest, metadata, tuple(notes))


def no_labels(layout: Layout) -> ToolError:
    """The error about an export without labels."""
    return ToolError(
        f"there is no {LABELS_FILE}: unpack the export, put one beside {layout.weights} with one "
        "label a line, in the order of the output, and give the folder."
    )
