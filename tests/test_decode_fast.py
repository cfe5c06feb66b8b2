"""DECODE=fast: how far it may be from exact, and where it must not differ at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier import Classifier, Settings
from image_classifier.contract import Contract
from image_classifier.preprocess import least_size, preprocess
from tests.builders import noise

ROOT = Path(__file__).resolve().parents[1]


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


def test_large_photos_get_the_same_tag_and_nearly_the_same_probabilities() -> None:
    exact, fast = both(ROOT)
    for seed in range(8):
        data = photo(seed)
        wanted, got = exact.classify_bytes(data), fast.classify_bytes(data)

        assert got.predicted_tag_name == wanted.predicted_tag_name, seed
        assert np.abs(np.subtract(got.scores, wanted.scores)).max() <= 0.02, seed


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pictures_of_ordinary_size_are_equal_to_the_bit(kind: str) -> None:
    exact, fast = both(ROOT)
    stream = io.BytesIO()
    noise((1400, 1000)).save(stream, kind)

    assert (
        exact.classify_bytes(stream.getvalue()).scores
        == fast.classify_bytes(stream.getvalue()).scores
    )


def test_a_large_jpeg_is_really_decoded_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    real = preprocess

    def seen(image: Image.Image, contract: Contract) -> object:
        sizes.append(image.size)
        return real(image, contract)

    monkeypatch.setattr("image_classifier.classifier.preprocess", seen)
    for one in both(ROOT):
        one.classify_bytes(photo(0))

    assert sizes == [(3600, 2700), (1800, 1350)]


@pytest.mark.parametrize(
    ("resize", "side", "size", "least"),
    [
        ("custom_vision", 224, (4000, 3000), (1600, 1200)),
        ("custom_vision", 224, (3000, 4000), (1200, 1600)),
        ("custom_vision", 300, (4000, 3000), (800, 600)),
        ("crop", 224, (4000, 3000), (598, 448)),
        ("stretch", 224, (4000, 2000), (896, 448)),
    ],
)
def test_the_least_size_keeps_what_the_contract_looks_at(
    resize: str, side: int, size: tuple[int, int], least: tuple[int, int]
) -> None:
    contract = Contract(input_name="x", output_name="y", height=side, width=side, resize=resize)

    assert least_size(size, contract) == least
