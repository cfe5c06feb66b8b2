"""Builds the zoo's networks to measure them, each in processes of its own, with random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT
from benchmarks.harness.case import WrongAnswer

__all__ = ["CLASSIFIERS", "DETECTOR", "build", "write_predictions"]

CLASSIFIERS = ("resnet50", "resnet152", "densenet121", "vgg16")
DETECTOR = "ssd_vgg300"
QUICK_SIZE = 64  # pixels


def build(network: str, models_dir: Path, *, quick: bool) -> Path:
    """Builds a network with the project's own commands, and adds its ``model.onnx``.

    Args:
        network: its name in the zoo.
        models_dir: the target.
        quick: of a smaller image, if it is a classifier.

    Returns:
        The version folder.

    Raises:
        WrongAnswer: it cannot be built or converted, or its answers are not the same then.
    """
    size = ["--size", str(QUICK_SIZE)] if quick and network != DETECTOR else []
    where = ["--models-dir", str(models_dir)]
    _run("tools.zoo", "build", network, "--weights", "none", *size, *where)
    folder = models_dir / network / "1"
    if network == DETECTOR:
        built, folder = folder, models_dir / f"{network}_predictions" / "1"
        _run("benchmarks.data.zoo_files", str(built), str(folder))
    _run("tools.convert", str(folder))
    return folder


def write_predictions(built: Path, target: Path) -> None:
    """Writes a detector's network as a graph that every engine can run.

    ONNX cannot decode images, and engines give one output: so it begins after preprocessing, and
    ends with all scores and boxes in a row, before they are made to detections.

    Args:
        built: the SavedModel's folder.
        target: gets ``model.pb`` and ``model.json``.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    from tools.export import preset
    from tools.zoo.anchors import LEVELS, SIDE

    loaded = tf.saved_model.load(str(built))
    tensors = loaded.signatures["tensors"]

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)])  # type: ignore[untyped-decorator]
    def predictions(batch: tf.Tensor) -> tf.Tensor:
        outputs = tensors(input=batch)
        rows = [
            tf.reshape(outputs[f"ssd_300_vgg/{level.block}_box/{name}:0"], [tf.shape(batch)[0], -1])
            for level in LEVELS
            for name in ("Reshape", "Reshape_1")
        ]
        return tf.concat(rows, 1)

    frozen = convert_variables_to_constants_v2(predictions.get_concrete_function())
    input_spec = preset("caffe", size=(SIDE, SIDE), resize="stretch").as_dict()
    input_spec |= {"input": frozen.inputs[0].name, "output": frozen.outputs[0].name}
    target.mkdir(parents=True)
    (target / "model.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    (target / "model.json").write_text(json.dumps(input_spec), "utf-8")


def _run(module: str, *arguments: str) -> None:
    """Runs a module in a process of its own, whose memory is free again when it ends."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise WrongAnswer(f"{module} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def main(argv: Sequence[str]) -> None:
    built, target = map(Path, argv)
    write_predictions(built, target)


if __name__ == "__main__":
    main(sys.argv[1:])
