"""Builds SSD300 on VGG16 as a version to serve, which finds boxes and does not classify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.export import preset
from tools.export.saving import kept_variables, save_module
from tools.shared.version_folder import write_version
from tools.zoo.anchors import LEVELS, SIDE
from tools.zoo.imagenet import load_weights, with_weights
from tools.zoo.metadata_files import write_recipe, write_signatures
from tools.zoo.networks import MICROSOFT_MEAN_RGB

__all__ = [
    "CLASSES_FILE",
    "DETECTOR",
    "VOC_CLASSES",
    "COMPLETE",
    "make_detector",
    "write_detector",
]

DETECTOR = "ssd_vgg300"
CLASSES_FILE = "classes.txt"  # not labels.txt, which marks an image classifier
BACKGROUND = "background"
COMPLETE = ".weights.h5"  # the ending of files with the weights of the complete detector
# The classes of Pascal VOC, in the order in which the original was trained.
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip


def make_detector(weights: str, classes: int, *, seed: int = 1, width: float = 1.0) -> Any:
    """Makes the network with its weights.

    Args:
        weights: "imagenet" or a ``.h5`` file of VGG16 without its top, for the backbone with a
            random rest; a ``.weights.h5`` file of the complete detector; or "none".
        classes: the number without the background.
        seed: of random weights.
        width: factor for all channels, for tests; with "none" or a file of the same width.

    Raises:
        ToolError: the weights are not available, or do not fit.
    """
    import keras

    from tools.zoo.ssd_network import ssd300, take_backbone

    keras.utils.set_random_seed(seed)
    detector = ssd300(classes + 1, width=width)
    if not weights.endswith(COMPLETE):
        if weights != "none":
            take_backbone(
                detector,
                with_weights(keras.applications.VGG16, weights, include_top=False),
            )
        return detector
    load_weights(detector, weights)
    return detector


def write_detector(
    detector: Any,
    names: Sequence[str],
    *,
    name: str,
    models_dir: Path,
    version: int | None = None,
    preprocessing: str = "keras",
    least_score: float,
    most_overlap: float,
    **about: Any,
) -> Path:
    """Writes a detector that takes ``images``.

    Its outputs are ``detections``, float32 [N, 200, 6] (see ``tools.zoo.detections``), and the
    network's own twelve, under the names that clients of Azure ML's SSD-VGG asked for:
    ``ssd_300_vgg/block4_box/Reshape:0`` (encoded boxes), ``…/Reshape_1:0`` (logits), and so on.

    Args:
        detector: from ``make_detector``.
        names: of its classes, without the background.
        name: of the model.
        models_dir: the folder with all models.
        version: None means the next free number.
        preprocessing: "keras" or "microsoft".
        least_score: of ``detections``.
        most_overlap: of two detections of a class.
        about: further data for ``zoo.json``.

    Returns:
        The version folder.

    Raises:
        ToolError: the version exists already.
    """
    import tensorflow as tf

    from tools.zoo.detections import corners, detections, flat

    tensor = tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, "input")

    class Detector(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kept = kept_variables(detector)

        @tf.function(input_signature=[tensor])  # type: ignore[untyped-decorator]
        def of_tensors(self, input: Any) -> Any:
            predictions = detector(input)
            boxes, logits = flat(predictions)
            outputs = {}
            for level in LEVELS:
                where = f"ssd_300_vgg/{level.block}_box"
                outputs[f"{where}/Reshape:0"], outputs[f"{where}/Reshape_1:0"] = predictions[
                    level.block
                ]
            outputs["detections"] = detections(
                corners(boxes),
                tf.nn.softmax(logits),
                least_score=least_score,
                most_overlap=most_overlap,
            )
            return outputs

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "images")])  # type: ignore[untyped-decorator]
        def of_files(self, images: Any) -> Any:
            tensors = tf.map_fn(
                lambda file: _tensor_of_file(file, preprocessing),
                images,
                fn_output_signature=tf.TensorSpec([SIDE, SIDE, 3], tf.float32),
            )
            return self.of_tensors(tensors)

    def write(folder: Path) -> None:
        module = Detector()
        signatures = {"serving_default": module.of_files, "tensors": module.of_tensors}
        save_module(module, signatures, folder)
        write_signatures(folder)
        write_recipe(
            folder,
            network=DETECTOR,
            preprocessing=preprocessing,
            least_score=least_score,
            most_overlap=most_overlap,
            **about,
        )
        lines = "".join(f"{each}\n" for each in (BACKGROUND, *names))
        (folder / CLASSES_FILE).write_text(lines, "utf-8")

    return write_version(write, name=name, models_dir=models_dir, version=version)


def _tensor_of_file(data: Any, preprocessing: str) -> Any:
    """Turns one image file into float32 [300, 300, 3]: the complete image, of any shape.

    Args:
        data: a scalar string tensor.
        preprocessing: "keras" for VGG16's weights; "microsoft" resizes as TensorFlow 1 did and
            subtracts ImageNet's mean from R, G, B.
    """
    import tensorflow as tf

    from tools.export.preprocessing_graph import decoded, tensor_of_file

    if preprocessing == "keras":
        return tensor_of_file(data, preset("caffe", size=(SIDE, SIDE), resize="stretch"))
    pixels = tf.raw_ops.ResizeBilinear(
        images=decoded(data)[None], size=[SIDE, SIDE], align_corners=False, half_pixel_centers=False
    )[0]
    return pixels - tf.constant(MICROSOFT_MEAN_RGB)
