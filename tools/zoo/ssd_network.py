"""Builds SSD300 on VGG16 in Keras: "SSD: Single Shot MultiBox Detector", Liu et al., 2016.

The shapes are Microsoft's: six maps of 37, 19, 10, 5, 3 and 1 cells, 4 or 6 boxes in each cell.
"""

from __future__ import annotations

from typing import Any

import keras

from tools.zoo.anchors import LEVELS, SIDE

__all__ = ["ssd300", "take_backbone"]

L2_SCALE = 20.0  # the initial scale of the first map's normalised features, in the paper
# VGG16's convolutions: the number in each block, and their channels.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class L2Normalization(keras.layers.Layer):  # type: ignore[misc]
    """Scales the features of each cell to length 1, and then by a learned factor a channel."""

    def build(self, input_shape: Any) -> None:
        """Adds the factors."""
        self.scale = self.add_weight(
            name="scale",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(L2_SCALE),
        )

    def call(self, features: Any) -> Any:
        """Scales features, float32 [N, height, width, channels]."""
        return keras.ops.normalize(features, axis=-1) * self.scale


def ssd300(classes: int, *, width: float = 1.0) -> Any:
    """Builds the network.

    Args:
        classes: the number with the background, which is class 0.
        width: factor for all channels; for tests.

    Returns:
        A model: preprocessed images [N, 300, 300, 3] -> for each level's block a pair: float32
        [N, cells, cells, boxes, 4] (encoded boxes) and [N, cells, cells, boxes, classes] (logits).
    """

    def channels(count: int) -> int:
        return max(1, round(count * width))

    def convolved(x: Any, count: int, size: int, name: str, **options: Any) -> Any:
        options = {"padding": "same", "activation": "relu", **options}
        return keras.layers.Conv2D(channels(count), size, name=name, **options)(x)

    image = keras.Input((SIDE, SIDE, 3), name="input")
    x, maps = image, []
    for block, (layers, count) in enumerate(_BLOCKS, 1):
        for layer in range(1, layers + 1):
            x = convolved(x, count, 3, f"block{block}_conv{layer}")
        if block == 4:
            maps.append(L2Normalization(name="block4_norm")(x))
        # 75 cells become 37, as in VGG16 itself; after that the padding keeps all: 37 become 19.
        size, stride, padding = (3, 1, "same") if block == 5 else (2, 2, "valid")
        padding = "same" if block == 4 else padding
        x = keras.layers.MaxPooling2D(size, stride, padding, name=f"block{block}_pool")(x)
    # VGG16's two fully connected layers as convolutions, of which the first is dilated.
    x = convolved(x, 1024, 3, "block6_conv", dilation_rate=6)
    x = convolved(x, 1024, 1, "block7_conv")
    maps.append(x)
    for block, count in ((8, 256), (9, 128)):
        x = convolved(x, count, 1, f"block{block}_conv1")
        x = keras.layers.ZeroPadding2D(1, name=f"block{block}_pad")(x)
        x = convolved(x, 2 * count, 3, f"block{block}_conv2", strides=2, padding="valid")
        maps.append(x)
    for block in (10, 11):
        x = convolved(x, 128, 1, f"block{block}_conv1")
        x = convolved(x, 256, 3, f"block{block}_conv2", padding="valid")
        maps.append(x)
    outputs = {}
    for level, features in zip(LEVELS, maps, strict=True):

        def predicted(what: str, numbers: int, level: Any = level, features: Any = features) -> Any:
            name = f"{level.block}_{what}"
            convolution = keras.layers.Conv2D(
                level.boxes * numbers, 3, padding="same", name=f"{name}_conv"
            )
            target = (level.cells, level.cells, level.boxes, numbers)
            return keras.layers.Reshape(target, name=name)(convolution(features))

        outputs[level.block] = (predicted("boxes", 4), predicted("classes", classes))
    return keras.Model(image, outputs, name="ssd_vgg300")


def take_backbone(ssd: Any, vgg16: Any) -> None:
    """Copies the convolutions of a VGG16 without its top into the detector, by their names."""
    for layer in vgg16.layers:
        if layer.weights:
            ssd.get_layer(layer.name).set_weights(layer.get_weights())
