"""Makes images: the same for the same arguments, on every machine."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import ExifTags, Image, ImageChops

PHONE_SIZE = (4032, 3024)  # 12 megapixels
GRAIN = 12
GRAIN_TILE = 1000
# Below about 3200 the decoder's own scaling has nothing to do; most photos are above.
LARGE_SIDES, SMALL_SIDES = (3200, 3800), (900, 3200)
SHARE_LARGE = 0.8
SHAPES = (1.0, 4 / 3, 3 / 2, 16 / 9, 2.4)


def photo(width: int, height: int, *, seed: int = 1) -> Image.Image:
    """Makes an image as hard to process as a photograph: soft areas, edges, grain."""
    random = np.random.default_rng(seed)
    return _with_grain(_scene(random, (width, height)), random)


def jpeg(width: int, height: int) -> bytes:
    """Makes such an image as a JPEG file."""
    return encoded(photo(width, height), "JPEG", quality=90)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """Encodes an image in a format of Pillow's, with options of its ``save``."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def phone_photo(*, progressive: bool, size: tuple[int, int] = PHONE_SIZE) -> bytes:
    """Makes a JPEG as phones write it: 12 megapixels, turned by its EXIF orientation."""
    return encoded(
        photo(*size),
        "JPEG",
        quality=90,
        subsampling="4:2:0",
        progressive=progressive,
        exif=_turned(6),
    )


def varied_photo(number: int, subjects: Sequence[Image.Image]) -> bytes:
    """Makes one photo of a long row that differ in content, size, shape, quality and kind of JPEG.

    Args:
        number: of the photo.
        subjects: images (mode RGB) of classes that the models know; most photos show one of them.
    """
    random = np.random.default_rng([2026, number])
    sides = LARGE_SIDES if random.random() < SHARE_LARGE else SMALL_SIDES
    longer, shape = int(random.integers(*sides)), float(random.choice(SHAPES))
    size = (longer, round(longer / shape))
    if random.random() < 0.5:
        size = size[::-1]
    subject = subjects[int(random.integers(len(subjects)))]
    image = CONTENTS[number % len(CONTENTS)](random, subject, size)
    if random.random() < 0.1:
        image = image.convert("L")
    return encoded(
        image,
        "JPEG",
        quality=int(random.choice([60, 75, 88, 95])),
        subsampling=int(random.integers(3)) if image.mode == "RGB" else -1,
        progressive=bool(random.random() < 0.2),
        exif=_turned(int(random.integers(1, 9)) if random.random() < 0.3 else 1),
    )


def _filling(random: Generator, subject: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The subject from edge to edge."""
    return _with_grain(subject.resize(size, Image.Resampling.BICUBIC), random)


def _in_a_scene(random: Generator, subject: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The subject somewhere near the middle."""
    image = _scene(random, size)
    scale = min(size) * random.uniform(0.5, 0.95) / max(subject.size)
    small = (max(1, round(subject.width * scale)), max(1, round(subject.height * scale)))
    place = [
        round((length - part) * random.uniform(0.3, 0.7))
        for length, part in zip(size, small, strict=True)
    ]
    image.paste(subject.resize(small, Image.Resampling.BICUBIC), (place[0], place[1]))
    return _with_grain(image, random)


def _behind_fabric(random: Generator, subject: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The subject under fine, regular threads: the worst case where pixels are left out."""
    image = np.asarray(subject.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    height, width = image.shape[:2]
    strength = random.uniform(5, 25)
    for axis, length in ((0, height), (1, width)):
        period = random.uniform(3, 16)
        threads = strength * np.sin(np.arange(length) * (2 * np.pi / period))
        image += threads.astype(np.int16).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def _nothing_known(random: Generator, subject: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A scene without a subject."""
    return _with_grain(_scene(random, size), random)


CONTENTS: tuple[Callable[[Generator, Image.Image, tuple[int, int]], Image.Image], ...] = (
    _filling,
    _in_a_scene,
    _behind_fabric,
    _filling,
    _nothing_known,
)


def _scene(random: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    soft = random.integers(0, 256, (7, 9, 3), np.uint8)
    edges = random.integers(0, 256, (max(1, height // 60), max(1, width // 60), 3), np.uint8)
    broad = Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(edges).resize(size, Image.Resampling.NEAREST)
    return Image.blend(broad, fine, 0.25)


def _with_grain(image: Image.Image, random: Generator) -> Image.Image:
    """A camera's noise: up to GRAIN brighter or darker, pixel by pixel."""
    tile = random.integers(0, 2 * GRAIN + 1, (GRAIN_TILE, GRAIN_TILE), np.uint8)
    tiles = (-(-image.height // GRAIN_TILE), -(-image.width // GRAIN_TILE))
    grain = Image.fromarray(np.tile(tile, tiles)[: image.height, : image.width])
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -GRAIN)


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif
