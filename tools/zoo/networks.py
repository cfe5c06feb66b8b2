"""Lists the classifiers of the zoo: their networks in Keras and their preprocessing."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from image_classifier.model_files.input_spec import InputSpec
from tools.export import preset
from tools.zoo.imagenet import CLASSES, with_weights

__all__ = ["NETWORKS", "PREPROCESSING", "Network", "Recipe", "fingerprint", "with_head"]

SIZE = 224  # pixels, of every classifier here
SMALLEST = 32  # below, these networks have no pixels left at their end
# The mean that Microsoft's checkpoints expect to be subtracted: R, G, B (azureml-accel-models).
MICROSOFT_MEAN_RGB = (123.68, 116.779, 103.939)
PREPROCESSING = ("keras", "microsoft")


@dataclass(frozen=True)
class Network:
    """One row of the table.

    Attributes:
        application: its function in ``keras.applications``.
        preset: the preprocessing that Keras's weights were trained with, see ``tools.export``.
        features: the layer before the classifier.
        width: the number of features of that layer.
        microsoft_scale: the factor for pixels that Microsoft's checkpoint expects.
    """

    application: str
    preset: str
    features: str
    width: int
    microsoft_scale: float = 1.0


NETWORKS = {
    "resnet50": Network("ResNet50", "caffe", "avg_pool", 2048),
    "resnet152": Network("ResNet152", "caffe", "avg_pool", 2048),
    "densenet121": Network("DenseNet121", "torch", "avg_pool", 1024, microsoft_scale=0.017),
    "vgg16": Network("VGG16", "caffe", "fc2", 4096),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The data to make a network again, with the same weights.

    Attributes:
        network: a key of ``NETWORKS``.
        weights: "imagenet", "none" or a file.
        preprocessing: "keras" (of Keras's weights) or "microsoft" (of the checkpoints of Azure
            ML's accelerated models).
        size: height and width of its input in pixels.
        seed: of random weights.
    """

    network: str
    weights: str = "imagenet"
    preprocessing: str = "keras"
    size: int = SIZE
    seed: int = 1

    def input_spec(self) -> InputSpec:
        """Returns size and preprocessing, for ``model.json``."""
        network, size = NETWORKS[self.network], (self.size, self.size)
        if self.preprocessing == "keras":
            return preset(network.preset, size=size)
        plain = preset("none", size=size, resize="accel")
        return replace(plain, mean=MICROSOFT_MEAN_RGB, scale=network.microsoft_scale)

    def complete(self) -> Any:
        """Makes the Keras model with ImageNet's head: images [N, size, size, 3] -> [N, 1000].

        Raises:
            ToolError: the weights are not available.
        """
        import keras

        keras.utils.set_random_seed(self.seed)
        return with_weights(
            getattr(keras.applications, NETWORKS[self.network].application),
            self.weights,
            input_shape=(self.size, self.size, 3),
            classes=CLASSES,
        )

    def featuriser(self, network: Any) -> Any:
        """Cuts off the head of a network: images -> float32 [N, number of features]."""
        import keras

        layer = network.get_layer(NETWORKS[self.network].features)
        return keras.Model(network.inputs[0], layer.output, name=f"{self.network}_features")

    def as_dict(self) -> dict[str, Any]:
        """Returns the recipe for JSON."""
        return asdict(self)


def with_head(featuriser: Any, head: Any) -> Any:
    """Joins a featuriser and the classifier of its features to one model."""
    import keras

    return keras.Model(featuriser.inputs[0], head(featuriser.output))


def fingerprint(model: Any) -> str:
    """Returns the SHA-256 of all weights, in their order, to compare models."""
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
