"""Reads ``cvexport.manifest``, Custom Vision's description of an export.

A model is served without it just as well, so a damaged file is ignored. ``tools.add_model`` reports
the damage: it parses the text itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

__all__ = [
    "MANIFEST_FILE",
    "MOST_MANIFEST_BYTES",
    "ExportManifest",
    "json_object",
    "parse_export_manifest",
    "read_export_manifest",
]

MANIFEST_FILE = "cvexport.manifest"
# A real one has about 500.
MOST_MANIFEST_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class ExportManifest:
    """The known keys; None where one is missing, null or of another type.

    Attributes:
        domain_type: ``Classification`` or ``ObjectDetection``.
        platform: ``TensorFlow``, ``ONNX``, ``DockerFile`` …
        flavor: ``TensorFlowNormal``, ``TensorFlowSavedModel``, ``TensorFlowLite`` …
        exporter_version: such as ``2.0``.
        exported_date: ISO 8601, unparsed.
        iteration_id: of the iteration that was exported.
        model_file_name: of the weights, beside the manifest.
        label_file_name: of the labels, beside the manifest.
        metadata_props_file_name: of the metadata, beside the manifest.
        model_file_sha1: of the weights, hexadecimal digits.
        schema_version: such as ``1.0``.
    """

    domain_type: str | None = None
    platform: str | None = None
    flavor: str | None = None
    exporter_version: str | None = None
    exported_date: str | None = None
    iteration_id: UUID | None = None
    model_file_name: str | None = None
    label_file_name: str | None = None
    metadata_props_file_name: str | None = None
    model_file_sha1: str | None = None
    schema_version: str | None = None


def read_export_manifest(folder: Path) -> ExportManifest | None:
    """Reads the manifest in a folder.

    Returns:
        The manifest, or None if it does not exist, or cannot be read or understood.
    """
    path = folder / MANIFEST_FILE
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(MOST_MANIFEST_BYTES + 1)
        if len(data) > MOST_MANIFEST_BYTES:
            return None
        return parse_export_manifest(data.decode("utf-8-sig"))
    except (OSError, ValueError):  # UnicodeDecodeError is a ValueError
        return None


def parse_export_manifest(text: str) -> ExportManifest:
    """Reads the JSON of a manifest. Unknown keys are ignored.

    Raises:
        ValueError: it is not a JSON object; the message is a sentence without the file's name.
    """
    data = json_object(text.removeprefix("\ufeff"))
    return ExportManifest(
        domain_type=_text(data, "DomainType"),
        platform=_text(data, "Platform"),
        flavor=_text(data, "Flavor"),
        exporter_version=_text(data, "ExporterVersion"),
        exported_date=_text(data, "ExportedDate"),
        iteration_id=_uuid(data, "IterationId"),
        model_file_name=_text(data, "ModelFileName"),
        label_file_name=_text(data, "LabelFileName"),
        metadata_props_file_name=_text(data, "MetadataPropsFileName"),
        model_file_sha1=_text(data, "ModelFileSHA1"),
        schema_version=_text(data, "SchemaVersion"),
    )


def json_object(text: str) -> dict[str, Any]:
    """Reads the JSON of one of an export's files.

    Raises:
        ValueError: it is not a JSON object; the message is a sentence without the file's name.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"it cannot be read as JSON: {exc}.") from exc
    if not isinstance(data, dict):
        raise ValueError("it must be a JSON object.")
    return data


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _uuid(data: Mapping[str, Any], key: str) -> UUID | None:
    try:
        return UUID(_text(data, key) or "")
    except ValueError:
        return None
