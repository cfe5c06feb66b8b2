"""Fixtures that several test modules share: a clean environment, models, one running host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier import Classifier, Settings
from image_classifier.settings import SETTINGS
from tests.support.builders import colour_graph, model_folder
from tests.support.onnx_files import COLOURS_ONNX
from tests.support.servers import LocalHost, free_port
from tools.azurite import Azurite
from tools.bootstrap.environments import has_node

pytest_plugins = ["tests.support.selection"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own shell decides a test."""
    for setting in SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
    monkeypatch.delenv("AZURE_FUNCTIONS_ENVIRONMENT", raising=False)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The real exports and images, used in place."""
    path = SHARED / "fixtures"
    if not path.is_dir():
        pytest.skip("../shared/fixtures is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def colours_onnx() -> bytes:
    """A small ONNX model, as Custom Vision exports them, that names the main colour of an image."""
    return COLOURS_ONNX.read_bytes()


@pytest.fixture(scope="session")
def colours_pb() -> bytes:
    """The same as a frozen graph, for tests of TensorFlow."""
    return colour_graph()


@pytest.fixture
def settings() -> Settings:
    """The defaults, in Development."""
    return Settings.from_environ({"AZURE_FUNCTIONS_ENVIRONMENT": "Development"})


@pytest.fixture
def app_root(tmp_path: Path, colours_onnx: bytes) -> Path:
    """An app's root whose default model is the colour model, called as the demo model is."""
    model_folder(tmp_path / "models", "digits", 1, onnx=colours_onnx)
    return tmp_path


@pytest.fixture
def classifier(settings: Settings, app_root: Path) -> Classifier:
    """A Classifier over ``app_root``."""
    return Classifier(settings, app_root=app_root)


@pytest.fixture(scope="session")
def host() -> Iterator[LocalHost]:
    """The app itself, running in the local host, shared by all tests that only ask it things."""
    with LocalHost(app_root=ROOT, env={}) as running:
        yield running


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """The storage emulator, shared by all tests; each takes a queue of its own."""
    if not has_node():
        pytest.skip("the storage emulator needs Node.js with npm, which is not here")
    with Azurite(free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def blob_azurite() -> Iterator[Azurite]:
    """The storage emulator's blobs, likewise; each test takes a container of its own."""
    if not has_node():
        pytest.skip("the storage emulator needs Node.js with npm, which is not here")
    with Azurite(free_port(), service="blob") as running:
        yield running
