"""Defines the network, layer by layer, and trains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.train_demo.data import LABELS, Digit

__all__ = ["GRID", "Weights", "ink_map", "train"]

GRID = 28  # 224 pixels pooled by 8
BATCH = 64
LEARNING_RATE = 3e-3
Weights = dict[str, NDArray[np.float32]]


def ink_map(tf: Any, pooled: Any) -> Any:
    """Computes how far each cell differs from the paper, in any colours: [n, GRID, GRID, 1].

    The colour of the paper is the mean of the outermost cells. So black on white, white on black
    and red on green look the same to the following layers. Both the training and the frozen graph
    use this function.
    """
    ring = np.ones((1, GRID, GRID, 1), np.float32)
    ring[:, 1:-1, 1:-1] = 0
    paper = tf.reduce_sum(pooled * (ring / ring.sum()), axis=[1, 2], keepdims=True)
    apart = tf.sqrt(tf.reduce_sum(tf.square(pooled - paper), axis=3, keepdims=True))
    # The constant keeps an empty page empty instead of stretching its grain to full contrast.
    return apart / (tf.reduce_max(apart, axis=[1, 2, 3], keepdims=True) + 8.0)


def build_network(keras: Any, seed: int) -> Any:
    """Builds three blocks of small convolutions, with about 40 thousand weights."""

    def start(step: int) -> Any:
        return keras.initializers.HeNormal(seed=seed + step)

    def block(filters: int, step: int, *, pool: bool = True) -> list[Any]:
        layers = [
            keras.layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=start(step),
                name=f"conv{step}",
            )
        ]
        return [*layers, keras.layers.MaxPooling2D(2)] if pool else layers

    return keras.Sequential(
        [
            keras.layers.Input((GRID, GRID, 1)),
            *block(16, 1),
            *block(32, 2, pool=False),
            *block(32, 3),
            *block(64, 4),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=seed),
            keras.layers.Dense(len(LABELS), kernel_initializer=start(5), name="fc"),
        ]
    )


def train(
    digits: Sequence[Digit],
    draw_all: Callable[[Sequence[Digit], np.random.Generator], NDArray[np.float32]],
    *,
    epochs: int,
    seed: int,
    progress: Callable[[int, float, float], None],
) -> Weights:
    """Trains on freshly drawn images in every epoch.

    Args:
        digits: the training part.
        draw_all: makes one image of each digit.
        epochs: times that every digit is seen.
        seed: of weights, order, styles and dropout.
        progress: called after each epoch with its number from 1, loss and accuracy.

    Returns:
        Arrays named <layer>/weights and <layer>/biases.
    """
    import tensorflow as tf

    keras = tf.keras
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(seed)
    network = build_network(keras, seed)
    steps = epochs * -(-len(digits) // BATCH)
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    labels = np.array([digit.label for digit in digits])
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(digits))
        inks = ink_map(tf, draw_all(digits, rng)).numpy()
        history = network.fit(
            inks[order], labels[order], batch_size=BATCH, shuffle=False, verbose=0
        ).history
        progress(epoch, history["loss"][-1], history["accuracy"][-1])
    return {
        f"{layer.name}/{kind}": values
        for layer in network.layers
        for kind, values in zip(("weights", "biases"), layer.get_weights(), strict=False)
        if layer.name.startswith(("conv", "fc"))
    }
