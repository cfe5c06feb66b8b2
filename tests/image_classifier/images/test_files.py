from pathlib import Path

from image_classifier.images.files import images_in


def test_images_are_found_at_any_depth_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "folder.png").mkdir()
    for name in ("b.JPG", "a.webp", "deeper/c.tiff", "notes.txt", "model.pb"):
        (tmp_path / name).write_bytes(b"")

    assert images_in(tmp_path) == [tmp_path / name for name in ("a.webp", "b.JPG", "deeper/c.tiff")]
