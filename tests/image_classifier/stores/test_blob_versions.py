from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from image_classifier.model_files.registry_json import LARGEST_VERSION_BYTES, MOST_FILES
from image_classifier.stores.blob_container import BlobEntry, Listing
from image_classifier.stores.blob_versions import QUIET_SECONDS, BlobVersion, versions_in

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OLD = NOW - timedelta(hours=1)


def listing(*names: str, changed: datetime = OLD, size: int = 5) -> Listing:
    blobs = (BlobEntry(name, size, f"tag of {name}", None, changed) for name in names)
    return Listing(tuple(blobs), NOW)


def one(*names: str, changed: datetime = OLD, size: int = 5) -> BlobVersion:
    found = versions_in(listing(*names, changed=changed, size=size))
    return found["m"][1]


def test_versions_are_grouped_by_model_and_number() -> None:
    found = versions_in(
        listing("a/1/model.onnx", "a/1/labels.txt", "a/10/model.pb", "b/2/variables/v.index")
    )

    assert {name: list(versions) for name, versions in found.items()} == {"a": [1, 10], "b": [2]}
    assert set(found["a"][1].files) == {"model.onnx", "labels.txt"}
    assert set(found["b"][2].files) == {"variables/v.index"}


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "a/model.onnx", "a/b/model.onnx", "a/-1/m", "a/1/", "a/1", ".a/1/m", "a//1/m"],
)
def test_what_lies_elsewhere_is_no_version(name: str) -> None:
    assert versions_in(listing(name)) == {}


def test_a_version_with_a_manifest_counts_at_once() -> None:
    assert one("m/1/model.onnx", "m/1/registry.json", changed=NOW).is_complete(NOW)


def test_a_version_without_one_counts_when_nothing_was_written_for_a_while() -> None:
    new = one("m/1/model.onnx", "m/1/labels.txt", changed=NOW)

    assert not new.is_complete(NOW + timedelta(seconds=QUIET_SECONDS - 1))
    assert new.is_complete(NOW + timedelta(seconds=QUIET_SECONDS))


def test_without_weights_there_is_no_version_to_serve() -> None:
    assert not one("m/1/labels.txt", "m/1/registry.json").is_complete(NOW)
    assert not one("m/1/sub/model.onnx").is_complete(NOW)


def test_the_key_follows_the_files_and_not_the_tags() -> None:
    plain = one("m/1/model.onnx", "m/1/labels.txt")

    assert plain.key == one("m/1/model.onnx", "m/1/labels.txt", "m/1/tags.json").key
    assert plain.key != one("m/1/model.onnx").key
    assert plain.key != one("m/1/model.onnx", "m/1/labels.txt", size=6).key
    assert plain.key != one("m/1/model.onnx", "m/1/labels.txt", "m/1/registry.json").key


@pytest.mark.parametrize(
    "path",
    [
        "../../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "a\\..\\x",
        "C:x",
        "x:stream",
        "nul",
        "con.txt",
        "a\x00b",
        "a\nb",
        "a.",
        "a/b/c/d/e/f/g/h/i",
        "x" * 300,
    ],
)
def test_a_name_that_leaves_the_folder_is_a_fault(path: str) -> None:
    version = one("m/1/model.onnx", f"m/1/{path}")

    assert version.fault is not None and "cannot be a file's" in version.fault


def test_folders_that_are_blobs_are_passed_over() -> None:
    blobs = [
        *listing("m/1/model.onnx", "m/1/variables/a").blobs,
        *listing("m/1/variables", "m/1/other/", "m/1", "m", size=0).blobs,
    ]
    version = versions_in(Listing(tuple(blobs), NOW))["m"][1]

    assert set(version.files) == {"model.onnx", "variables/a"}
    assert version.fault is None


def test_what_a_desktop_left_behind_is_passed_over() -> None:
    version = one("m/1/model.onnx", "m/1/.DS_Store", "m/1/a/._b")

    assert set(version.files) == {"model.onnx"}
    assert one("m/1/model.onnx", "m/1/./x").fault is not None


def test_a_blob_that_is_a_file_and_a_folder_is_a_fault() -> None:
    version = one("m/1/model.onnx", "m/1/a", "m/1/a/b")

    assert version.fault == "'a' is a file and a folder in it"


def test_too_much_is_a_fault() -> None:
    many = one("m/1/model.onnx", *(f"m/1/{number}" for number in range(MOST_FILES)))
    large = one("m/1/model.onnx", size=LARGEST_VERSION_BYTES + 1)

    assert many.fault is not None and "at most 1,000" in many.fault
    assert large.fault is not None and "MB are allowed" in large.fault
    assert one("m/1/model.onnx").fault is None
