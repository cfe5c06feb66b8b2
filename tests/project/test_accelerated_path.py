"""The way of Azure ML's accelerated models: once with its commands, once in the notebook."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines.accelerated_models_client import old_client
from image_classifier_client import PredictionClient
from tests.support.model_servers import ModelServer
from tests.support.servers import ROOT, clean_environment

NOTEBOOK = ROOT / "examples" / "accelerated.ipynb"
IMAGE = ROOT / "frontend" / "samples" / "four.jpg"
SIZE = 64  # pixels: a tenth of the time of 224
RUN = f"none-{SIZE}"  # the notebook's folder for these weights and this size
LARGEST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Prepared:
    """What the slow commands left behind, once for both tests.

    Attributes:
        folder: has a folder of the notebook's network, with ``built`` and the registry ``models``.
        commands: as they were typed -> what they printed.
    """

    folder: Path
    commands: dict[str, str]

    def copy(self, target: Path) -> Path:
        """The folder for a test of its own; the files are the same ones, under other names."""
        return shutil.copytree(self.folder, target, copy_function=os.link)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """``python -m`` one of the project's commands, as in a terminal."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def printed(*words: str) -> str:
    """What a command prints that must succeed."""
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """ResNet-50 with random weights: built, registered, converted."""
    folder = tmp_path_factory.mktemp("accelerated")
    run_folder = folder / RUN
    built, models = run_folder / "built", run_folder / "models"
    registry = ["tools.models", "--models-dir", str(models)]
    network = ["--weights", "none", "--size", str(SIZE), "--models-dir", str(built)]
    registered = ["--name", "resnet50", "--tag", "weights=none"]
    commands = [
        ["tools.zoo", "build", "resnet50", *network],
        [*registry, "register", str(built / "resnet50" / "1"), *registered],
        [*registry, "convert", "resnet50"],
    ]
    return Prepared(folder, {shlex.join(words): printed(*words) for words in commands})


def test_a_network_is_built_registered_converted_served_asked_tagged_and_deleted(
    prepared: Prepared, tmp_path: Path
) -> None:
    *_, converted = prepared.commands.values()
    differences = re.findall(r"(images|random inputs): largest difference (\S+),", converted)
    assert [what for what, _ in differences] == ["images", "random inputs"]
    assert all(float(difference) < LARGEST_DIFFERENCE for _, difference in differences)

    models = prepared.copy(tmp_path / "copy") / RUN / "models"
    registry = ["tools.models", "--models-dir", str(models)]
    base = f"--model_base_path={models / 'resnet50'}"
    with ModelServer("--model_name=resnet50", base) as server:
        check_answers(server, (models / "resnet50" / "1" / "labels.txt").read_text().splitlines())
        assert "stage=live weights=none" in printed(*registry, "tag", "resnet50/1", "stage=live")
        deletion = ["delete", "resnet50/1", "--yes", "--app", server.rest_url]
        assert f"resnet50/1 is served by {server.rest_url}" in run(*registry, *deletion).stderr
        assert (models / "resnet50" / "1" / "model.onnx").is_file()
    assert "Deleted resnet50/1." in printed(*registry, "delete", "resnet50/1", "--yes")
    assert not (models / "resnet50" / "1").exists()


def check_answers(server: ModelServer, labels: list[str]) -> None:
    """What the new client is told agrees with itself, and with what the old one is told."""
    with PredictionClient("127.0.0.1", server.port, service_name="resnet50") as client:
        scores = client.score_file(IMAGE)
        top = client.classify(IMAGE, top=5)
    assert scores.shape == (len(labels),) == (1000,)
    assert scores.sum() == pytest.approx(1, abs=1e-4)
    best = np.argsort(-scores, kind="stable")[:5]
    assert [label for label, _ in top] == [labels[index] for index in best]
    assert [probability for _, probability in top] == scores[best].tolist()

    if importlib.util.find_spec("azureml") is not None:  # azureml-accel-models, the old client
        old = old_client().PredictionClient("127.0.0.1", server.port, service_name="resnet50")
        assert np.array_equal(old.score_file(str(IMAGE)), scores)


@pytest.fixture
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    read = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(read)
    return read


def parameters_of(notebook: Any) -> Any:
    """The cell with the parameters."""
    (cell,) = [each for each in notebook.cells if "parameters" in each.metadata.get("tags", [])]
    return cell


def test_the_notebook_goes_the_same_way(
    prepared: Prepared, notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    folder = prepared.copy(tmp_path / "copy")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))  # nothing of the developer's own
    values = f"from pathlib import Path\nSIZE = {SIZE}\nFOLDER = Path({str(folder)!r})"
    parameters_of(notebook).source += f"\n{values}"
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=where).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    for command in prepared.commands:
        typed = command.replace(str(prepared.folder), str(folder))
        assert f"python -m {typed}\n(left out:" in text, "the fixture ran another command"
    assert "1000 probabilities, 1.000 together" in text
    assert len(re.findall(r"^ *\d+\.\d\d%  class \d+$", text, re.MULTILINE)) == 5
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "resnet50/1: stage=live weights=none" in text
    assert "served: resnet50 version 1" in text
    assert "the server ended with 0" in text
    assert "Deleted resnet50/1." in text
    assert not (folder / RUN / "models" / "resnet50" / "1").exists()


def test_the_notebook_never_takes_another_network_for_the_one_that_is_wanted(
    notebook: Any, tmp_path: Path
) -> None:
    at = notebook.cells.index(parameters_of(notebook))
    results = set()
    for weights, size in (("none", 224), ("imagenet", 224), ("none", 64)):
        names: dict[str, Any] = {"FOLDER": tmp_path, "WEIGHTS": weights, "SIZE": size}
        exec(notebook.cells[at + 1].source, names)
        results |= {names["BUILT"], names["VERSION"]}
    assert len(results) == 6


def test_the_notebook_is_kept_without_what_a_run_adds(notebook: Any) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert json.loads(NOTEBOOK.read_text("utf-8"))["metadata"].keys() == {
        "kernelspec",
        "language_info",
    }
