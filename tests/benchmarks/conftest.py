"""The workload and the images that several of these tests use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import DEMO_MODEL, Workload


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """The demo model, which has both weights files."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(DEMO_MODEL, models / "digits" / "1")
    return Workload("the demo model", models, "digits", {"small.jpg": jpeg(90, 150)}, {})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file to post. Who decodes it finds that it is none."""
    file = tmp_path / "image.jpg"
    file.write_bytes(b"not really an image: " + bytes(80_000))
    return file
