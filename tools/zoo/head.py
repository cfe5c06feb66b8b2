"""Trains a small classifier on features, and measures its accuracy on held-out images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.shared.errors import ToolError
from tools.zoo.features import Features

__all__ = ["Accuracy", "Trained", "accuracy", "train_head"]

_Set = tuple[NDArray[np.float32], NDArray[np.intp]]  # features and classes

ROUNDS = 300  # at most
PATIENCE = 15  # rounds without a gain on the held-out images before the training stops
LEAST_GAIN = 1e-3  # of the loss; a smaller gain only adds certainty
LEARNING_RATE = 0.01  # at most
LEAST_IMAGES = 2  # of a class: one to learn from, one to check with
# As a part of the largest variance; keeps features that hardly vary from being amplified.
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Accuracy:
    """The numbers of images whose best label is the right one.

    Attributes:
        right: by label.
        images: by label.
    """

    right: Counter[str]
    images: Counter[str]

    def __str__(self) -> str:
        right, count = self.right.total(), self.images.total()
        return f"{right} of {count} right ({right / count:.1%})"

    @property
    def of_most_frequent(self) -> float:
        """The accuracy, 0 to 1, of always naming the most frequent label."""
        return max(self.images.values()) / self.images.total()


@dataclass(frozen=True)
class Trained:
    """A trained head.

    Attributes:
        head: Keras model: features [N, D] -> probabilities [N, K].
        labels: in the order of the probabilities.
        rounds: the number of the best round.
        learned_from: the number of images.
        held_out: the accuracy on the others.
    """

    head: Any
    labels: tuple[str, ...]
    rounds: int
    learned_from: int
    held_out: Accuracy


def train_head(
    features: Features, *, hidden: int = 0, share: float = 0.2, seed: int = 1, rounds: int = ROUNDS
) -> Trained:
    """Trains until the loss on held-out images does not fall any more.

    The same features and seed give the same head.

    Args:
        features: with a label each.
        hidden: units of a hidden layer; 0 means none (logistic regression).
        share: of each label's images that is held out, 0 to 1; at least one.
        seed: of the choice of held-out images, and of the initial weights.
        rounds: at most.

    Raises:
        ToolError: an image has no label, or a label too few images.
    """
    import keras

    labels = _labels(features)
    classes = np.array([labels.index(label) for label in features.labels])
    held = _held_out(classes, share, seed)
    keras.utils.set_random_seed(seed)
    head = _network(features.values[~held], len(labels), hidden)
    best = _learn(
        head,
        (features.values[~held], classes[~held]),
        (features.values[held], classes[held]),
        rounds,
    )
    scores = np.asarray(head(features.values[held]))
    held_out = _accuracy(scores, classes[held], labels)
    return Trained(head, labels, best, int((~held).sum()), held_out)


def accuracy(trained: Trained, features: Features) -> Accuracy:
    """Measures the accuracy of a head on images that had no part in its training.

    Raises:
        ToolError: the images have labels that were not trained.
    """
    if strange := sorted(set(features.labels) - set(trained.labels)):
        raise ToolError(
            f"There are images of {', '.join(map(repr, strange[:5]))}, which were not trained; "
            f"the labels are {', '.join(trained.labels[:20])}."
        )
    classes = np.array([trained.labels.index(label) for label in features.labels])
    return _accuracy(np.asarray(trained.head(features.values)), classes, trained.labels)


def _labels(features: Features) -> tuple[str, ...]:
    counts = Counter(features.labels)
    if "" in counts:
        raise ToolError(
            f"{counts['']} images are in no sub-folder: put each into a folder with the name of "
            "its label."
        )
    few = sorted(label for label, count in counts.items() if count < LEAST_IMAGES)
    if few or len(counts) < 2:
        reason = f"{few[0]!r} has one image" if few else "there is one label"
        raise ToolError(
            f"{reason}: there must be two labels, with {LEAST_IMAGES} images each or (much "
            "better) dozens."
        )
    return tuple(sorted(counts))


def _held_out(classes: NDArray[np.intp], share: float, seed: int) -> NDArray[np.bool_]:
    """Chooses the held-out images at random, the same share of each class."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(classes), bool)
    for each in np.unique(classes):
        (images,) = np.nonzero(classes == each)
        count = min(max(1, round(share * len(images))), len(images) - 1)
        held[rng.choice(images, count, replace=False)] = True
    return held


def _network(values: NDArray[np.float32], classes: int, hidden: int) -> Any:
    import keras

    variance = values.var(0)
    layers = [
        keras.Input((values.shape[1],)),
        # Features of different layers and networks differ in size by orders of magnitude.
        keras.layers.Normalization(
            mean=values.mean(0),
            variance=np.maximum(variance, LEAST_VARIANCE * max(float(variance.max()), 1e-12)),
        ),
    ]
    if hidden:
        layers.append(keras.layers.Dense(hidden, activation="relu"))
    penalty = keras.regularizers.L2(1e-4)  # usually there are more features than images
    layers.append(keras.layers.Dense(classes, activation="softmax", kernel_regularizer=penalty))
    return keras.Sequential(layers)


def _learn(head: Any, shown: _Set, held: _Set, rounds: int) -> int:
    """Trains a head, restores the weights of its best round, and returns the number of it.

    Each round takes all images at once: they are few, and Keras's own loop needs more time to
    begin a round than this needs to run one.
    """
    import keras
    import tensorflow as tf

    # Adam moves every weight by the rate, so a score moves by rate times features: one at most.
    rate = min(LEARNING_RATE, 1 / shown[0].shape[1])
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(head.trainable_variables)
    (values, classes), (held_values, held_classes) = (
        (tf.constant(values), tf.constant(classes)) for values, classes in (shown, held)
    )

    def loss(values: Any, classes: Any) -> Any:
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(classes, head(values)))

    @tf.function  # type: ignore[untyped-decorator]
    def learn() -> Any:
        with tf.GradientTape() as tape:
            wrong = loss(values, classes) + tf.add_n(head.losses)
        variables = head.trainable_variables
        optimizer.apply(tape.gradient(wrong, [each.value for each in variables]), variables)
        return loss(held_values, held_classes)

    least, best, weights = np.inf, 0, head.get_weights()
    for number in range(1, rounds + 1):
        loss_now = float(learn())
        if loss_now < least - LEAST_GAIN:
            least, best, weights = loss_now, number, head.get_weights()
        elif number - best >= PATIENCE:
            break
    head.set_weights(weights)
    return best


def _accuracy(
    scores: NDArray[np.float32], classes: NDArray[np.intp], labels: tuple[str, ...]
) -> Accuracy:
    named = [labels[index] for index in classes]
    right = [name for name, row, index in zip(named, scores, classes, strict=True)
             if row.argmax() == index]  # fmt: skip
    return Accuracy(Counter(right), Counter(named))
