"""Long commands end in one line when they are stopped, and leave nothing half done behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.builders import colour_graph, model_folder
from tests.support.servers import ROOT, clean_environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")
LINE = b"Stopped. No partial output was written.\n"


def stopped(
    command: Sequence[str],
    sent: signal.Signals,
    at: bytes,
    ready: Callable[[], bool] = lambda: True,
) -> int:
    """Stops a command when it has printed ``at`` and something is there; returns its status."""
    running = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    read = b""
    while at not in read:
        piece = os.read(running.stdout.fileno(), 1000)
        assert piece, "it ended before"
        read += piece
    while not ready():
        assert running.poll() is None, "it ended before"
    running.send_signal(sent)
    _, err = running.communicate(timeout=60)
    assert err == LINE
    return running.returncode


def test_a_build_that_is_ended_half_way_leaves_no_half_of_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    command = ["tools.zoo", "build", "resnet50", "--featuriser", "--weights", "none"]
    command += ["--size", "32", "--models-dir", str(models)]

    def is_writing() -> bool:
        return any(models.glob("resnet50/.unfinished-*"))

    assert stopped(command, signal.SIGTERM, b"[2/2] write it", is_writing) == 143
    assert not models.exists()


def test_a_conversion_that_is_interrupted_says_so_in_one_line(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, graph=colour_graph())

    # TensorFlow is imported then, which takes seconds.
    assert stopped(["tools.convert", str(folder)], signal.SIGINT, b"[1/5]") == 130
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "model.pb"]


def test_an_export_that_is_ended_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "slow.py").write_text("import time\ndef make():\n    time.sleep(60)\n")
    command = ["tools.export", f"{tmp_path / 'slow.py'}:make", "--name", "m"]
    command += ["--labels", str(tmp_path / "labels.txt"), "--models-dir", str(tmp_path / "models")]

    assert stopped(command, signal.SIGTERM, b"[1/2] load the model") == 143
