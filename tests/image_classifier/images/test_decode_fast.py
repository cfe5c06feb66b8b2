"""DECODE=fast: how far it may be from exact, and where it must not differ at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.data.synthetic_images import varied_photo
from image_classifier import Classifier, Settings
from image_classifier.images.fast_preprocess import preprocess_scaled
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import noise

ROOT = Path(__file__).resolve().parents[3]


def both(root: Path) -> tuple[Classifier, Classifier]:
    exact, fast = (
        Classifier(Settings.from_environ({"DECODE": value}), app_root=root)
        for value in ("exact", "fast")
    )
    return exact, fast


def photo(seed: int, size: tuple[int, int] = (3600, 2700)) -> bytes:
    """A large JPEG with one of the demo's digits, uneven light and a camera's grain."""
    rng = np.random.default_rng(seed)
    samples = sorted((ROOT / "frontend" / "samples").glob("*.[pj][np]g"))
    with Image.open(samples[seed % len(samples)]) as sample:
        image = sample.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(image).astype(np.float32)
    light = np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1), size[0], dtype=np.float32)
    pixels *= light[None, :, None]
    pixels += rng.normal(0, 6, (size[1], size[0], 1)).astype(np.float32)
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=88)
    return stream.getvalue()


@pytest.mark.slow
def test_large_photos_get_the_same_tag_and_nearly_the_same_probabilities() -> None:
    exact, fast = both(ROOT)
    for seed in range(8):
        data = photo(seed)
        wanted, got = exact.classify_bytes(data), fast.classify_bytes(data)

        assert got.predicted_tag_name == wanted.predicted_tag_name, seed
        assert np.abs(np.subtract(got.scores, wanted.scores)).max() <= 0.02, seed


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_of_ordinary_size_are_equal_to_the_bit(kind: str) -> None:
    exact, fast = both(ROOT)
    stream = io.BytesIO()
    noise((1400, 1000)).save(stream, kind)

    assert (
        exact.classify_bytes(stream.getvalue()).scores
        == fast.classify_bytes(stream.getvalue()).scores
    )


@pytest.mark.slow
def test_a_large_jpeg_is_really_decoded_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def seen(image: Image.Image, full_size: tuple[int, int], input_spec: InputSpec) -> object:
        sizes.append((image.size, full_size))
        return preprocess_scaled(image, full_size, input_spec)

    monkeypatch.setattr("image_classifier.pipeline.preprocess_scaled", seen)
    for one in both(ROOT):
        one.classify_bytes(photo(0))

    assert sizes == [((1800, 1350), (3600, 2700))]


@pytest.mark.tensorflow
def test_a_real_export_gives_the_same_tags_for_photos_of_many_kinds(
    fixtures: Path, tmp_path: Path
) -> None:
    # The short form of `python -m benchmarks large`, which does this to hundreds with all models.
    (tmp_path / "models" / "digits").mkdir(parents=True)
    folder = tmp_path / "models" / "digits" / "1"
    folder.symlink_to(fixtures / "custom_vision" / "viktordudas-catdog")
    files = sorted((fixtures / "images" / "catdog").iterdir())
    subjects = [Image.open(file).convert("RGB") for file in files]
    exact, fast = both(tmp_path)
    for number in range(8):
        data = varied_photo(number, subjects)
        wanted, got = exact.classify_bytes(data), fast.classify_bytes(data)

        assert got.predicted_tag_name == wanted.predicted_tag_name, number
        assert np.abs(np.subtract(got.scores, wanted.scores)).max() <= 0.02, number
