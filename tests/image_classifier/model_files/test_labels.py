from pathlib import Path

import pytest

from image_classifier.errors import ModelError
from image_classifier.model_files.labels import read_labels


@pytest.mark.parametrize(
    "content",
    [b"Cat\nDog\n", b"Cat\nDog", b"Cat\r\nDog\r\n", b"\xef\xbb\xbfCat\r\nDog ", b" Cat \nDog\n\n"],
)
def test_labels_are_read_however_they_were_written(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)

    assert read_labels(tmp_path) == ("Cat", "Dog")


def test_labels_keep_inner_blanks_and_letters_of_all_languages(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("Grüner Apfel\n犬\n", "utf-8")

    assert read_labels(tmp_path) == ("Grüner Apfel", "犬")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"Cat\n\nDog\n", b"\xff\xfeC\x00"])
def test_labels_that_cannot_be_right_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=r"labels\.txt"):
        read_labels(tmp_path)
