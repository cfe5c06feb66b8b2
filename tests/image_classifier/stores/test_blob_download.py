"""Checks of a downloaded version: complete, and the same as on Blob Storage."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from image_classifier.model_files.registry_json import MANIFEST_FILE, FileRecord, Manifest
from image_classifier.stores.blob_container import BlobEntry
from image_classifier.stores.blob_download import is_whole
from image_classifier.stores.blob_versions import BlobVersion

CONTENT, DAMAGED = b"weights", b"w3ights"
WHEN = datetime(2026, 11, 30, tzinfo=UTC)


def entry(name: str, content: bytes, *, md5: bool) -> BlobEntry:
    return BlobEntry(
        name, len(content), "tag", hashlib.md5(content).digest() if md5 else None, WHEN
    )


def downloaded(
    folder: Path, content: bytes, *, manifest: bool = False, md5: bool = False
) -> BlobVersion:
    """A version whose file has the content on disk, and CONTENT on the storage."""
    (folder / "model.onnx").write_bytes(content)
    files = {"model.onnx": entry("m/1/model.onnx", CONTENT, md5=md5)}
    if not manifest:
        return BlobVersion("m", 1, files, None, None)
    record = FileRecord("model.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    text = Manifest(WHEN.isoformat(), (record,)).as_json().encode()
    (folder / MANIFEST_FILE).write_bytes(text)
    return BlobVersion("m", 1, files, entry(f"m/1/{MANIFEST_FILE}", text, md5=False), None)


@pytest.mark.parametrize(
    ("manifest", "md5", "notices"),
    [(True, False, True), (True, True, True), (False, True, True), (False, False, False)],
    ids=["SHA-256", "both", "MD5", "neither"],
)
def test_a_damaged_file_is_noticed_by_the_checksum_that_there_is(
    tmp_path: Path, manifest: bool, md5: bool, notices: bool
) -> None:
    sound = downloaded(tmp_path, CONTENT, manifest=manifest, md5=md5)
    assert is_whole(sound, tmp_path, check=True) is True

    damaged = downloaded(tmp_path, DAMAGED, manifest=manifest, md5=md5)
    assert is_whole(damaged, tmp_path, check=True) is not notices
    assert is_whole(damaged, tmp_path, check=False) is True


@pytest.mark.parametrize("manifest", [False, True])
def test_a_file_that_is_missing_or_cut_is_noticed_without_a_checksum(
    tmp_path: Path, manifest: bool
) -> None:
    cut = downloaded(tmp_path, CONTENT[:-1], manifest=manifest)
    assert is_whole(cut, tmp_path, check=False) is False

    (tmp_path / "model.onnx").unlink()
    assert is_whole(cut, tmp_path, check=False) is False


def test_a_manifest_that_cannot_be_read_counts_as_missing(tmp_path: Path) -> None:
    version = downloaded(tmp_path, CONTENT, manifest=True)
    (tmp_path / MANIFEST_FILE).write_text("{")

    assert is_whole(version, tmp_path, check=False) is False
