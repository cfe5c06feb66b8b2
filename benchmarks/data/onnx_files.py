"""Makes ``model.onnx`` from ``model.pb`` with the command of the README, once for each model."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer

# The hash of a model.pb -> its model.onnx: several benchmarks use the same one.
_made: dict[str, bytes] = {}


def add_onnx_files(folders: Sequence[Path]) -> None:
    """Adds ``model.onnx`` to each folder that has none.

    In a process of its own: TensorFlow's threads and memory stay out of what is measured.

    Raises:
        WrongAnswer: a model cannot be converted, or its answers are not the same then.
    """
    digests = {
        folder: hashlib.sha256((folder / "model.pb").read_bytes()).hexdigest()
        for folder in folders
        if not (folder / "model.onnx").exists()
    }
    missing = [folder for folder, digest in digests.items() if digest not in _made]
    if missing:
        command = [sys.executable, "-m", "tools.convert", *map(str, missing)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", errors="replace"
        )
        if done.returncode != 0:
            raise WrongAnswer(f"A model cannot be converted:\n{done.stdout}{done.stderr}")
        for folder in missing:
            _made[digests[folder]] = (folder / "model.onnx").read_bytes()
    for folder, digest in digests.items():
        (folder / "model.onnx").write_bytes(_made[digest])
