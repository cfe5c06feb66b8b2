"""Refuses a registry.json that names files which must not be written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from image_classifier.errors import ModelError
from image_classifier.model_files.registry_json import FileRecord, Manifest, parse_manifest

SHA256 = "0a" * 32


def text(path: str = "model.onnx", **change: Any) -> str:
    record = {"bytes": 7, "sha256": SHA256, **change}
    return json.dumps({"created": "2026-11-30T00:00:00+00:00", "files": {path: record}})


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    manifest = Manifest("2026-11-30T00:00:00+00:00", (FileRecord("a/b.onnx", 7, SHA256),))

    assert parse_manifest(manifest.as_json(), where="registry.json") == manifest


@pytest.mark.parametrize(
    "bad",
    [
        text("../model.onnx"),
        text("/etc/passwd"),
        text(bytes=-1),
        text(bytes="7"),
        text(sha256="0A" * 32),
        text(sha256="0a" * 31),
    ],
)
def test_a_file_that_cannot_be_one_is_named(bad: str) -> None:
    with pytest.raises(ModelError, match=r"^registry\.json "):
        parse_manifest(bad, where="registry.json")
