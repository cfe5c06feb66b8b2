"""cvexport.manifest: what it says is used, and whatever is wrong with it harms nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_classifier.model_files.cvexport_manifest import (
    MANIFEST_FILE,
    MOST_MANIFEST_BYTES,
    ExportManifest,
    parse_export_manifest,
    read_export_manifest,
)
from image_classifier.models.model import Model
from tests.support.builders import model_folder

# As the exporter wrote them from 2019 to 2025.
FULL = {
    "DomainType": "Classification",
    "Platform": "DockerFile",
    "Flavor": "Linux",
    "ExporterVersion": "2.2",
    "ExportedDate": "2024-05-11T19:45:31.4268582Z",
    "IterationId": "1206e4db-9a1f-4da0-8f06-06ed2ea07240",
    "ModelFileName": "model.tflite",
    "LabelFileName": "labels.txt",
    "MetadataPropsFileName": "metadata_properties.json",
    "ModelFileSHA1": "8da03bb83d17501d176c387a1353cd1791bc15a5",
    "SchemaVersion": "1.0",
}
KEYS = {
    "domain_type": "DomainType",
    "platform": "Platform",
    "flavor": "Flavor",
    "exporter_version": "ExporterVersion",
    "exported_date": "ExportedDate",
    "model_file_name": "ModelFileName",
    "label_file_name": "LabelFileName",
    "metadata_props_file_name": "MetadataPropsFileName",
    "model_file_sha1": "ModelFileSHA1",
    "schema_version": "SchemaVersion",
}
EMPTY = ExportManifest()


def written(folder: Path, data: bytes) -> Path:
    (folder / MANIFEST_FILE).write_bytes(data)
    return folder


def test_every_known_key_is_read(tmp_path: Path) -> None:
    manifest = read_export_manifest(written(tmp_path, json.dumps(FULL).encode()))

    assert manifest is not None
    assert {name: getattr(manifest, name) for name in KEYS} == {
        name: FULL[key] for name, key in KEYS.items()
    }
    assert manifest.iteration_id == UUID(FULL["IterationId"])


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + json.dumps(FULL).encode(),
        json.dumps({**FULL, "InputStream": "source", "Anchors": [[1.08, 1.19]]}).encode(),
        json.dumps({**FULL, "IterationId": FULL["IterationId"].upper()}).encode(),
        json.dumps({**FULL, "IterationId": f" {FULL['IterationId']} "}, indent=8).encode(),
    ],
)
def test_a_byte_order_mark_other_keys_and_blanks_do_not_matter(data: bytes, tmp_path: Path) -> None:
    assert read_export_manifest(written(tmp_path, data)) == parse_export_manifest(json.dumps(FULL))


@pytest.mark.parametrize("value", [None, "", " ", 1, 2.0, True, [], {}])
def test_a_value_of_another_kind_counts_as_none(value: Any) -> None:
    text = json.dumps(dict.fromkeys(FULL, value))

    assert parse_export_manifest(text) == EMPTY


@pytest.mark.parametrize("iteration", ["xx-xxx", "1206e4db", "0" * 33, "1206e4db-9a1f-…"])
def test_an_iteration_that_is_no_uuid_counts_as_none(iteration: str) -> None:
    assert parse_export_manifest(json.dumps({"IterationId": iteration})) == EMPTY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it cannot be read as JSON"),
        ("{", "it cannot be read as JSON"),
        ("[" * 60_000, "it cannot be read as JSON"),
        ('{"a": ' + "1" * 5000 + "}", "it cannot be read as JSON"),
        ("[]", "it must be a JSON object"),
        ('"text"', "it must be a JSON object"),
        ("null", "it must be a JSON object"),
    ],
)
def test_who_adds_a_model_is_told_what_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        parse_export_manifest(text)
    assert read_export_manifest(written(tmp_path, text.encode())) is None


def test_what_is_not_there_or_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_export_manifest(tmp_path) is None
    assert read_export_manifest(tmp_path / "missing") is None
    assert read_export_manifest(written(tmp_path, b"\xff\xfe{}")) is None
    assert read_export_manifest(written(tmp_path, b"{}" + b" " * MOST_MANIFEST_BYTES)) is None
    assert read_export_manifest(written(tmp_path, b"{}" + b" " * 1000)) == EMPTY
    (tmp_path / MANIFEST_FILE).unlink()
    (tmp_path / MANIFEST_FILE).mkdir()
    assert read_export_manifest(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST_FILE)

    assert read_export_manifest(tmp_path) is None


@given(st.text() | st.recursive(st.text(), lambda inner: st.lists(inner)).map(json.dumps))
def test_any_text_is_a_manifest_or_a_value_error(text: str) -> None:
    try:
        parse_export_manifest(text)
    except ValueError as exc:
        assert str(exc)


def test_a_model_is_loaded_whatever_its_manifest_is(tmp_path: Path, colours_onnx: bytes) -> None:
    folder = model_folder(tmp_path, onnx=colours_onnx)

    def iteration() -> UUID | None:
        return Model("colours", 1, folder).load().iteration_id

    assert iteration() is None
    written(folder, b"\xff{")
    assert iteration() is None
    written(folder, json.dumps(FULL).encode())
    assert iteration() == UUID(FULL["IterationId"])
