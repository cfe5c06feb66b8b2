"""Chooses the model and the images of a benchmark, real ones if they are there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import ROOT
from benchmarks.data.onnx_files import add_onnx_files
from benchmarks.data.synthetic_images import jpeg
from image_classifier import Classifier, Settings

FIXTURES = ROOT.parent / "shared" / "fixtures"
REAL_MODEL = "viktordudas-catdog"
REAL_IMAGES = ("catdog", "tutorial")
DEMO_MODEL = ROOT / "models" / "digits" / "1"
GENERATED_SIZES = ((600, 600), (1200, 900), (480, 640), (224, 224), (2016, 980))


@dataclass(frozen=True)
class Workload:
    """A model in a model repository of its own, and images for it.

    Attributes:
        description: one line for the report.
        models_dir: the value of MODELS_DIR.
        model: the name of the model in it; its version is 1.
        images: name -> the bytes of an image file.
        expected: image -> tag -> probability as the exporter's own script gave them, for the
            images where that is known.
    """

    description: str
    models_dir: Path
    model: str
    images: Mapping[str, bytes]
    expected: Mapping[str, Mapping[str, float]]

    @property
    def folder(self) -> Path:
        """The model's version folder."""
        return self.models_dir / self.model / "1"

    def environ(self, engine: str = "onnx", **changed: str) -> dict[str, str]:
        """The settings of a Classifier or a local host that serves this model with that engine."""
        return {
            "MODELS_DIR": str(self.models_dir),
            "DEFAULT_MODEL": self.model,
            "ENGINE": engine,
            "ENGINE_THREADS": "0",
            "DECODE": "exact",
            "API_KEYS": "",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            **changed,
        }

    def classifier(self, engine: str = "onnx", **changed: str) -> Classifier:
        """Makes a Classifier that serves this model in this process."""
        return Classifier(Settings.from_environ(self.environ(engine, **changed)))


@contextmanager
def open_workload(*, quick: bool = False) -> Iterator[Workload]:
    """Yields a real export and images from ../shared, else the demo model and generated images.

    The model is there as ``model.pb`` and as ``model.onnx``.

    Args:
        quick: four images at most.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-models-") as folder:
        workload = _real(Path(folder)) if FIXTURES.is_dir() else _generated(Path(folder))
        add_onnx_files([workload.folder])
        if quick:
            some = list(workload.images)[:: max(1, len(workload.images) // 4)][:4]
            workload = replace(workload, images={name: workload.images[name] for name in some})
        yield workload


@contextmanager
def all_models() -> Iterator[list[Workload]]:
    """Yields every real export, each without images; else the demo model alone."""
    with tempfile.TemporaryDirectory(prefix="benchmark-models-") as folder:
        if not FIXTURES.is_dir():
            yield [replace(_generated(Path(folder)), images={})]
            return
        names = sorted(path.name for path in (FIXTURES / "custom_vision").iterdir())
        models = [Workload("", Path(folder), name, {}, {}) for name in names]
        for one in models:
            _copy(FIXTURES / "custom_vision" / one.model, one.folder)
        add_onnx_files([one.folder for one in models])
        yield models


def real_images(folders: Sequence[str]) -> dict[str, Path]:
    """Lists the images of ../shared by name; none where it is not there."""
    if not FIXTURES.is_dir():
        return {}
    files = [file for name in folders for file in sorted((FIXTURES / "images" / name).iterdir())]
    return {f"{file.parent.name}/{file.name}": file for file in files}


def _real(models_dir: Path) -> Workload:
    _copy(FIXTURES / "custom_vision" / REAL_MODEL, models_dir / "catdog" / "1")
    expected = json.loads((FIXTURES / "expected.json").read_text("utf-8"))
    return Workload(
        description=f"the real export {REAL_MODEL} and real photographs",
        models_dir=models_dir,
        model="catdog",
        images={name: file.read_bytes() for name, file in real_images(REAL_IMAGES).items()},
        expected=expected["predictions"][REAL_MODEL],
    )


def _generated(models_dir: Path) -> Workload:
    _copy(DEMO_MODEL, models_dir / "digits" / "1")
    return Workload(
        description="the demo model digits and generated images (there is no ../shared here)",
        models_dir=models_dir,
        model="digits",
        images={f"{w}x{h}.jpg": jpeg(w, h) for w, h in GENERATED_SIZES},
        expected={},
    )


def _copy(source: Path, target: Path) -> None:
    """Copies files without the permissions of the originals, which may be read-only."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file():
            shutil.copyfile(file, target / file.name)
