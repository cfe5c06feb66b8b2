"""The way of Azure ML's accelerated models, with its commands: from a network to its top five."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.old_client import old_client
from image_classifier_client import PredictionClient
from tests.model_servers import ModelServer
from tests.servers import ROOT, clean_environment

PICTURE = ROOT / "frontend" / "samples" / "four.jpg"
SIZE = 64  # pixels: a tenth of the time of 224
LARGEST_DIFFERENCE = 1e-3


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the project's commands, as in a terminal."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def printed(module: str, *arguments: str) -> str:
    """What a command prints that must succeed."""
    done = run(module, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_network_is_built_registered_converted_served_asked_tagged_and_deleted(
    tmp_path: Path,
) -> None:
    built, models = tmp_path / "built", tmp_path / "models"
    registry = ("tools.models", "--models-dir", str(models))

    network = ["--weights", "none", "--size", str(SIZE), "--models-dir", str(built)]
    printed("tools.zoo", "build", "resnet50", *network)
    folder = built / "resnet50" / "1"
    printed(*registry, "register", str(folder), "--name", "resnet50", "--tag", "weights=none")
    text = printed(*registry, "convert", "resnet50")
    differences = [float(found) for found in re.findall(r"largest difference (\S+),", text)]
    assert len(differences) == 2, "on pictures and on random inputs"
    assert max(differences) < LARGEST_DIFFERENCE

    base = f"--model_base_path={models / 'resnet50'}"
    with ModelServer("--model_name=resnet50", base) as server:
        check_answers(server, models / "resnet50" / "1" / "labels.txt")
        assert "resnet50/1: stage=live weights=none" in printed(
            *registry, "tag", "resnet50/1", "stage=live"
        )
        (listed,) = json.loads(printed(*registry, "list", "--json"))["models"]
        (version,) = listed["versions"]
        assert version["tags"] == {"stage": "live", "weights": "none"}
        assert "onnx" in version["engines"]

        deletion = ("delete", "resnet50/1", "--yes", "--app", server.rest_url)
        refused = run(*registry, *deletion)
        assert refused.returncode == 1
        assert f"resnet50/1 is served by {server.rest_url}" in refused.stderr
        assert server.stop() == 0
    assert "Deleted resnet50/1." in printed(*registry, "delete", "resnet50/1", "--yes")
    assert not (models / "resnet50" / "1").exists()


def check_answers(server: ModelServer, labels_file: Path) -> None:
    """The new client's answers agree with each other, and with the old client's."""
    labels = labels_file.read_text("utf-8").splitlines()
    with PredictionClient("127.0.0.1", server.port, service_name="resnet50") as client:
        scores = client.score_file(PICTURE)
        top = client.classify(PICTURE, top=5)
    assert scores.shape == (1000,)
    assert scores.sum() == pytest.approx(1, abs=1e-4)
    best = np.argsort(-scores, kind="stable")[:5]
    assert [label for label, _ in top] == [labels[index] for index in best]
    assert [probability for _, probability in top] == pytest.approx(scores[best].tolist())

    if importlib.util.find_spec("azureml") is not None:  # azureml-accel-models, the old client
        old = old_client().PredictionClient("127.0.0.1", server.port, service_name="resnet50")
        assert np.array_equal(old.score_file(str(PICTURE)), scores)
