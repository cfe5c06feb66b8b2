"""tools.package: what it lays out runs without TensorFlow."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from image_classifier.engines.registry import ENGINES, SAVED_MODEL
from tests.support.servers import LocalHost
from tools import package
from tools.bootstrap.lock_file import DISTRIBUTIONS, read_lock
from tools.list_package import list_package
from tools.shared.errors import ToolError

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_TENSORFLOW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ImportError("the slim package must not import " + name)

sys.meta_path.insert(0, Refuse())
"""


def files_of(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("slim") / "app"
    assert package.main([str(target), "--engine", "onnx"]) == 0
    return target


def test_it_is_what_is_published_less_the_other_engines_weights(slim: Path) -> None:
    laid_out = files_of(slim)
    published = set(list_package(ROOT))

    assert published - laid_out == {path for path in published if path.name == "model.pb"}
    assert laid_out - published == {package.MARKER}
    assert set(list_package(slim)) == laid_out - {package.MARKER}  # its rules leave nothing out


def test_its_table_of_weights_is_that_of_the_engines() -> None:
    assert {name: kind.weights for name, kind in ENGINES.items()} == package.WEIGHTS
    assert set(DISTRIBUTIONS) == set(package.WEIGHTS)
    assert package.SAVED_MODEL == SAVED_MODEL


def test_it_runs_on_a_python_that_has_nothing_installed(tmp_path: Path) -> None:
    program = [os.path.realpath(sys.executable), "-S", "-E"]
    missing = subprocess.run([*program, "-c", "import numpy"], capture_output=True, check=False)
    command = [*program, "-m", "tools.package", str(tmp_path / "app")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert missing.returncode != 0
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app" / "host.json").is_file()


def locked(root: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Requirement -> name and hashes."""
    packages = read_lock((root / "requirements.txt").read_text("utf-8"))
    return {each.requirement: (each.name, each.hashes) for each in packages}


def test_its_lock_is_the_projects_without_the_other_engines_and_their_dependencies(
    slim: Path,
) -> None:
    everything, kept = locked(ROOT), locked(slim)
    names = {name for name, _ in kept.values()}

    assert kept.items() <= everything.items()
    assert all(hashes for _, hashes in kept.values())
    assert {"azure-functions", "onnxruntime", "numpy", "pillow", "protobuf"} <= names
    gone = {name for name, _ in everything.values()} - names
    # TensorFlow's own, TensorFlow Lite's own; what ONNX Runtime needs too (flatbuffers) stays.
    assert {"tensorflow", "tensorflow-cpu", "ai-edge-litert"} < gone
    assert {"keras", "h5py", "libclang", "grpcio", "setuptools", "backports-strenum"} < gone
    assert "flatbuffers" in names


def test_its_lock_is_the_projects_closure_of_what_is_installed_here(slim: Path) -> None:
    """The notes in the lock against the metadata of the packages themselves."""
    wanted: set[str] = set()
    waiting = [each for each in read_lock((ROOT / "requirements.txt").read_text("utf-8"))]
    engines = set().union(*DISTRIBUTIONS.values()) - {"onnxruntime"}
    names = [each.requirement for each in waiting if each.is_named and each.name not in engines]
    while names:
        requirement = Requirement(names.pop())
        name = canonicalize_name(requirement.name)
        here = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if here and name not in wanted:
            wanted.add(name)
            names += importlib.metadata.requires(name) or []

    kept = [Requirement(each) for each in locked(slim)]
    here_too = {each.name for each in kept if each.marker is None or each.marker.evaluate()}
    assert here_too == wanted


def test_it_answers_where_tensorflow_cannot_be_imported(slim: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TENSORFLOW)
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    refused = subprocess.run([sys.executable, "-c", "import tensorflow"], env=env, check=False)
    assert refused.returncode != 0  # the trap works
    sample = (ROOT / "frontend" / "samples" / "seven.png").read_bytes()

    with LocalHost(app_root=slim, env={"PYTHONPATH": str(tmp_path)}) as app:
        response = requests.post(f"{app.url}/api/classify", data=sample, timeout=60)

    assert response.json()["predictedTagName"] == "7"
    assert response.headers["X-Engine"] == "onnx (CPUExecutionProvider)"


def test_a_model_that_is_not_converted_is_named(tmp_path: Path) -> None:
    root = tmp_path / "app"
    (root / "models" / "cats" / "1").mkdir(parents=True)
    (root / "models" / "cats" / "1" / "model.pb").write_bytes(b"graph")
    (root / "requirements.txt").write_text("numpy==1\n    # via -r requirements.in\n")

    with pytest.raises(ToolError, match=r"tools\.convert models/cats/1"):
        package.lay_out(root, tmp_path / "out", "onnx")
    assert not (tmp_path / "out").exists()


def test_an_app_of_tensorflow_lite_models_is_packaged_too(tmp_path: Path) -> None:
    root = tmp_path / "app"
    folder = root / "models" / "cats" / "1"
    folder.mkdir(parents=True)
    for name in ("model.tflite", "model.pb", "labels.txt"):
        (folder / name).write_bytes(b"bytes")
    requirements = (ROOT / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(requirements)

    copied = package.lay_out(root, tmp_path / "out", "tflite")

    assert {path.name for path in copied} == {"model.tflite", "labels.txt", "requirements.txt"}
    kept = (tmp_path / "out" / "requirements.txt").read_text()
    assert "ai-edge-litert==" in kept
    assert "tensorflow-cpu" not in kept
    assert "onnxruntime" not in kept
    assert "\nbackports-strenum==" in kept  # it needs this, and ONNX Runtime does not
    with pytest.raises(ToolError, match=r"no model\.tflite in models/digits/1"):
        package.lay_out(ROOT, tmp_path / "demo", "tflite")


def test_an_app_for_openvino_has_it_and_no_other_engine(tmp_path: Path) -> None:
    slim = tmp_path / "slim"
    package.lay_out(ROOT, slim, "openvino")

    kept = locked(slim)
    names = {name for name, _ in kept.values()}
    assert {"openvino", "openvino-telemetry"} <= names
    assert not {"onnxruntime", "tensorflow", "tensorflow-cpu", "ai-edge-litert"} & names
    assert kept[f"openvino=={importlib.metadata.version('openvino')}"][1]
    trap = WITHOUT_TENSORFLOW.replace('"keras"', '"keras", "onnxruntime"')
    (tmp_path / "sitecustomize.py").write_text(trap)
    env = {"PYTHONPATH": str(tmp_path), "ENGINE": "openvino"}
    sample = (ROOT / "frontend" / "samples" / "seven.png").read_bytes()
    with LocalHost(app_root=slim, env=env) as host:
        response = requests.post(f"{host.url}/api/classify", data=sample, timeout=60)
    assert response.json()["predictedTagName"] == "7"
    assert response.headers["X-Engine"] == "openvino (CPU)"


def test_a_folder_with_files_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    assert package.main([str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_it_laid_out_it_replaces_when_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "app"
    assert package.main([str(target), "--replace"]) == 0
    first = files_of(target)
    (target / "models" / "old").mkdir()
    (target / "models" / "old" / "model.onnx").write_bytes(b"of yesterday")

    assert package.main([str(target)]) == 1
    assert "or say --replace" in capsys.readouterr().err
    assert (target / "models" / "old" / "model.onnx").is_file()
    assert package.main([str(target), "--replace"]) == 0
    assert files_of(target) == first


@pytest.mark.parametrize("marker", [None, "*.md\n"])
def test_it_replaces_no_folder_that_it_did_not_lay_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], marker: str | None
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    if marker is not None:
        (tmp_path / package.MARKER).write_text(marker)
    before = files_of(tmp_path)

    assert package.main([str(tmp_path), "--replace"]) == 1
    assert "is not empty: name a new folder." in capsys.readouterr().err
    assert files_of(tmp_path) == before


def test_a_model_without_weights_leaves_what_was_laid_out_before(tmp_path: Path) -> None:
    root, target = tmp_path / "root", tmp_path / "app"
    (root / "models" / "cats" / "1").mkdir(parents=True)
    (root / "models" / "cats" / "1" / "model.onnx").write_bytes(b"graph")
    (root / "requirements.txt").write_text("numpy==1\n    # via -r requirements.in\n")
    package.lay_out(root, target, "onnx")
    before = files_of(target)

    with pytest.raises(ToolError, match=r"no model\.pb or saved_model\.pb"):
        package.lay_out(root, target, "tensorflow", replace=True)
    assert files_of(target) == before


def test_with_every_engine_it_is_what_is_published(tmp_path: Path) -> None:
    package.lay_out(ROOT, tmp_path / "app", "auto")

    assert files_of(tmp_path / "app") - {package.MARKER} == set(list_package(ROOT))
    for name in ("requirements.txt", "host.json"):
        assert (tmp_path / "app" / name).read_bytes() == (ROOT / name).read_bytes()
