"""How near a drafted image's tensor is to the exact one; of whole answers: test_decode_fast."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from image_classifier.images.fast_preprocess import preprocess_scaled, smallest_decode_size
from image_classifier.images.preprocess import preprocess
from image_classifier.model_files.input_spec import InputSpec
from tests.support.builders import noise


def input_spec(side: int, resize: str = "custom_vision", channels: str = "BGR") -> InputSpec:
    return InputSpec(
        input_name="x", output_name="y", height=side, width=side, resize=resize, channels=channels
    )


def landscape(size: tuple[int, int]) -> bytes:
    """A JPEG of soft areas, edges in all directions, and grain."""
    soft = noise((40, 30), seed=1).resize(size, Image.Resampling.BICUBIC)
    edges = noise((40, 30), seed=2).rotate(30).resize(size, Image.Resampling.NEAREST)
    pixels = np.asarray(Image.blend(soft, edges, 0.4)).astype(np.int16)
    pixels += np.random.default_rng(3).integers(-8, 9, (size[1], size[0], 1), np.int16)
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def difference(data: bytes, wanted: InputSpec, turned: Image.Transpose | None = None) -> float:
    """Root mean square, in pixel values of 0 to 255; the drafted image must be smaller."""
    tensors = []
    for is_drafted in (False, True):
        with Image.open(io.BytesIO(data)) as image:
            full_size = image.size
            if is_drafted:
                image.draft(None, smallest_decode_size(full_size, wanted))
                assert image.width < full_size[0]
            upright = image.transpose(turned) if turned is not None else image.copy()
        if is_drafted:
            tensors.append(preprocess_scaled(upright, full_size, wanted))
        else:
            tensors.append(preprocess(upright, wanted))
    assert tensors[0].shape == tensors[1].shape
    return float(np.sqrt(np.mean((tensors[0] - tensors[1]) ** 2)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "side"),
    [((3333, 2501), 227), ((2500, 3201), 224), ((3400, 3400), 64), ((6401, 1800), 227)],
)
def test_it_looks_at_the_very_places_that_exporters_look_at(
    size: tuple[int, int], side: int
) -> None:
    # One pixel beside it would make 4 of the difference, and an upright image taken for a
    # lying one 60.
    assert difference(landscape(size), input_spec(side)) < 1.6


def test_an_image_that_was_turned_upright_keeps_its_places() -> None:
    data = landscape((3301, 2200))

    assert difference(data, input_spec(224), Image.Transpose.ROTATE_270) < 1.6


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((6500, 300), input_spec(224)),  # long and thin: 1600 x 73
        ((3300, 2400), input_spec(300)),
        ((3300, 2400), input_spec(224, "crop", "RGB")),
        ((3300, 2400), input_spec(100, "stretch", "GRAY")),
    ],
)
def test_shapes_and_graphs_of_other_kinds_work_too(
    size: tuple[int, int], wanted: InputSpec
) -> None:
    assert difference(landscape(size), wanted) < 4


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
def test_the_least_size_keeps_what_the_input_spec_looks_at(
    resize: str, side: int, size: tuple[int, int], least: tuple[int, int]
) -> None:
    assert smallest_decode_size(size, input_spec(side, resize)) == least
