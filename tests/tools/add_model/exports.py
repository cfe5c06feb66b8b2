"""Exports as zip files and folders for the tests, and the command that adds them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.custom_vision_exports import (
    LABELS,
    manifest,
    metadata_properties,
    write_saved_model,
)
from tools.add_model.__main__ import main

TEXT = "\r\n".join(LABELS)  # as the portal writes them: CRLF, no newline at the end


Files = Mapping[str, Any]  # texts or bytes, by their paths


def saved_model(graph: bytes, folder: Path) -> dict[str, bytes]:
    write_saved_model(graph, folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def packed(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpacked(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def export_of(graph: bytes, **changes: Any) -> dict[str, bytes | str]:
    """The portal's zip file of the flavor TensorFlow."""
    return {
        "model.pb": graph,
        "labels.txt": TEXT,
        "cvexport.manifest": "\ufeff" + manifest(graph, **changes),
        "metadata_properties.json": metadata_properties(),
        "LICENSE": "May be used.",
        "python/predict.py": "raise SystemExit",
    }


def add(export: Path, *options: str) -> tuple[int, Path]:
    models = export.parent / "models"
    status = main([str(export), "--name", "m", "--models-dir", str(models), *options])
    return status, models / "m" / "1"
