"""What the benchmarks work on: a model and pictures, real ones if they are there."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT.parent / "shared" / "fixtures"
REAL_MODEL = "viktordudas-catdog"
REAL_PICTURES = ("catdog", "tutorial")
DEMO_MODEL = ROOT / "models" / "digits" / "1"
GENERATED_SIZES = ((600, 600), (1200, 900), (480, 640), (224, 224), (2016, 980))


@dataclass(frozen=True)
class Material:
    """A model in a model repository of its own, and pictures for it.

    Attributes:
        about: one line for the report.
        models_dir: what MODELS_DIR must be.
        model: the name of the model in it; its version is 1.
        pictures: name -> the bytes of an image file.
        expected: picture -> tag -> probability as the exporter's own script gave them, for the
            pictures where that is known.
    """

    about: str
    models_dir: Path
    model: str
    pictures: Mapping[str, bytes]
    expected: Mapping[str, Mapping[str, float]]

    @property
    def folder(self) -> Path:
        return self.models_dir / self.model / "1"


@contextmanager
def material(*, quick: bool = False) -> Iterator[Material]:
    """A real export and real pictures from ../shared, else the demo model and generated pictures.

    Args:
        quick: four pictures at most.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-models-") as folder:
        found = _real(Path(folder)) if FIXTURES.is_dir() else _generated(Path(folder))
        if quick:
            some = list(found.pictures)[:: max(1, len(found.pictures) // 4)][:4]
            pictures = {name: found.pictures[name] for name in some}
            found = Material(found.about, found.models_dir, found.model, pictures, found.expected)
        yield found


def _real(models_dir: Path) -> Material:
    shutil.copytree(FIXTURES / "custom_vision" / REAL_MODEL, models_dir / "catdog" / "1")
    files = [
        path for name in REAL_PICTURES for path in sorted((FIXTURES / "images" / name).iterdir())
    ]
    expected = json.loads((FIXTURES / "expected.json").read_text("utf-8"))
    return Material(
        about=f"the real export {REAL_MODEL} and real photographs",
        models_dir=models_dir,
        model="catdog",
        pictures={f"{path.parent.name}/{path.name}": path.read_bytes() for path in files},
        expected=expected["predictions"][REAL_MODEL],
    )


def _generated(models_dir: Path) -> Material:
    shutil.copytree(DEMO_MODEL, models_dir / "digits" / "1")
    return Material(
        about="the demo model digits and generated pictures (there is no ../shared here)",
        models_dir=models_dir,
        model="digits",
        pictures={f"{w}x{h}.jpg": jpeg(w, h) for w, h in GENERATED_SIZES},
        expected={},
    )


def photo(width: int, height: int, *, seed: int = 1) -> Image.Image:
    """A picture that decoders and resizers find as hard as a photograph: soft areas, edges, grain.

    The same for the same arguments, on every machine.
    """
    random = np.random.default_rng(seed)
    soft = random.integers(0, 256, (7, 9, 3), np.uint8)
    edges = random.integers(0, 256, (max(1, height // 60), max(1, width // 60), 3), np.uint8)
    size = (width, height)
    broad = Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(edges).resize(size, Image.Resampling.NEAREST)
    pixels = np.asarray(Image.blend(broad, fine, 0.25)).astype(np.int16)
    pixels += random.integers(-12, 13, (height, width, 1), np.int16)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def jpeg(width: int, height: int) -> bytes:
    """Such a picture as a file."""
    return encoded(photo(width, height), "JPEG", quality=90)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
