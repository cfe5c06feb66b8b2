"""Publishes eight versions of a 40 MB model one after the other; prints the memory after each.

Run as a process of its own by test_repository_watcher.py: memory is a process' affair.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from image_classifier import Settings
from image_classifier.models.configured_repository import ConfiguredRepository
from image_classifier.models.repository_watcher import RepositoryWatcher
from image_classifier.models.serving_config import ModelConfig

VERSIONS = 8
ROWS = 10_000_000 // 3  # times three floats: 40 MB


def write(folder: Path, engine: str, weights: np.ndarray) -> None:
    """Scores are three columns' sums of large weights, chosen by the colours' means."""
    folder.mkdir(parents=True)
    (folder / "labels.txt").write_text("a\nb\nc")
    if engine == "onnx":
        _write_onnx(folder / "model.onnx", weights)
    else:
        _write_frozen(folder / "model.pb", weights)
    input_spec = '{"input": "pixels", "output": "scores", "size": 8, "channels": "RGB"}'
    (folder / "model.json").write_text(input_spec)


def _write_onnx(path: Path, weights: np.ndarray) -> None:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("ReduceMax", ["weights"], ["largest"], axes=[0], keepdims=1),
        helper.make_node("Add", ["means", "largest"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def _write_frozen(path: Path, weights: np.ndarray) -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name="pixels")
        largest = tf.reduce_max(tf.constant(weights), axis=0, keepdims=True)
        tf.add(tf.reduce_mean(pixels, [1, 2]), largest, name="scores")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def main(models: Path, engine: str) -> None:
    config = ModelConfig("large", models / "large")
    aside = models / "aside"
    weights = np.random.default_rng(0).random((ROWS, 3), np.float32)
    write(aside / "1", engine, weights)
    for version in range(2, VERSIONS + 1):
        shutil.copytree(aside / "1", aside / str(version), copy_function=os.link)
    del weights
    config.base_path.mkdir()
    settings = Settings.from_environ({"ENGINE": engine})
    repository = ConfiguredRepository(settings, app_root=Path(), models=[config])
    watcher = RepositoryWatcher(repository, poll_seconds=0.05)
    watcher.start([config])
    served = repository.served("large")
    for version in range(1, VERSIONS + 1):
        (aside / str(version)).rename(config.base_path / str(version))
        deadline = time.monotonic() + 30
        while True:
            states = {model.version: model.state.name for model in served.known()}
            before = set(range(1, version))
            if states.get(version) == "LOADED" and all(states[v] == "UNLOADED" for v in before):
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"version {version}: {states}")
            time.sleep(0.02)
        print(psutil.Process().memory_info().rss, flush=True)
    watcher.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
