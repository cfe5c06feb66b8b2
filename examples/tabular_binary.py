"""Trains a model on a table: named columns in, class and probability out.

Numbers are normalised and words looked up inside the graph, so clients send the columns as they
have them. The data is scikit-learn's on breast cancer; one of its columns, the area, is given as a
word (small, medium, large), to show how words go in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# So that `python examples/tabular_binary.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import parser, seeded, show_how_to_serve
from tools.export import export_module

NUMBERS = ("mean_radius", "mean_texture", "mean_smoothness", "mean_concavity")
WORD = "area"
WORDS = ("small", "medium", "large")
QUICK_EPOCHS = 10
CLASSES = ("malignant", "benign")


class Table(NamedTuple):
    """Columns by name, and for each row 1 if it is benign."""

    columns: dict[str, np.ndarray]
    classes: np.ndarray


def main(argv: Sequence[str] | None = None) -> Path:
    """Trains and exports; returns the version folder."""
    quick = f"{QUICK_EPOCHS} epochs, to see the way"
    args = parser("tabular_binary", __doc__ or "", epochs=40, quick=quick).parse_args(argv)
    epochs = QUICK_EPOCHS if args.quick else args.epochs
    seeded(args.seed)
    import keras

    table = read_table()
    rows = np.random.default_rng(args.seed).permutation(len(table.classes))
    test, train = np.split(rows, [len(rows) // 5])
    averages = {name: float(table.columns[name][train].mean()) for name in NUMBERS}
    spreads = {name: float(table.columns[name][train].std()) for name in NUMBERS}

    layer = keras.layers.Dense(1, activation="sigmoid")
    layer.build((None, len(NUMBERS) + len(WORDS)))
    module = make_module(averages, spreads, layer)
    features = module.features(table.columns).numpy()
    model = keras.Sequential([keras.Input((features.shape[1],)), layer])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(features[train], table.classes[train], epochs=epochs, verbose=0)
    scores = model.predict(features[test], verbose=0)[:, 0]
    accuracy = float(((scores > 0.5) == table.classes[test]).mean())
    print(f"{accuracy:.1%} of {len(test)} held-out rows are told right.")

    folder = export_module(
        module,
        {"serving_default": module.serving_default, "examples": module.examples},
        name=args.name,
        models_dir=args.models_dir,
    )
    row = {name: round(float(table.columns[name][0]), 4) for name in NUMBERS}
    show_how_to_serve(folder, ["--columns", json.dumps({**row, WORD: "large"})])
    return folder


def read_table() -> Table:
    """Loads the columns of the example, with the area as a word: a third of the rows each."""
    from sklearn.datasets import load_breast_cancer

    data_set = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data_set.feature_names]
    columns = {name: data_set.data[:, names.index(name)].astype(np.float32) for name in NUMBERS}
    area = data_set.data[:, names.index("mean_area")]
    columns[WORD] = np.array(WORDS, object)[np.digitize(area, np.quantile(area, [1 / 3, 2 / 3]))]
    return Table(columns, data_set.target)


def make_module(averages: Mapping[str, float], spreads: Mapping[str, float], layer: Any) -> Any:
    """Normalises, looks up and scores, as one ``tf.Module``."""
    import tensorflow as tf

    columns = {name: tf.TensorSpec([None], tf.float32, name) for name in NUMBERS}
    columns[WORD] = tf.TensorSpec([None], tf.string, WORD)

    class Tabular(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            words = tf.constant(WORDS)
            numbers = tf.range(len(WORDS), dtype=tf.int64)
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(words, numbers), default_value=-1
            )
            # Keras keeps TensorFlow's variables inside its own, where tf.Module does not look.
            self.kept = [each.value for each in layer.variables]
            self.classes = tf.constant(CLASSES)

        def features(self, given: Mapping[str, Any]) -> Any:
            """Returns float32 [N, 7]: four numbers, normalised, and three for the word."""
            numbers = [
                (tf.convert_to_tensor(given[name]) - averages[name]) / spreads[name]
                for name in NUMBERS
            ]
            word = self.table.lookup(tf.strings.lower(tf.convert_to_tensor(given[WORD])))
            return tf.concat([tf.stack(numbers, 1), tf.one_hot(word, len(WORDS))], 1)

        def scores(self, given: Mapping[str, Any]) -> Any:
            """Returns float32 [N, 2]: a probability for each class."""
            benign = layer(self.features(given))
            return tf.concat([1 - benign, benign], 1)

        @tf.function(input_signature=list(columns.values()))  # type: ignore[untyped-decorator]
        def serving_default(
            self,
            mean_radius: Any,
            mean_texture: Any,
            mean_smoothness: Any,
            mean_concavity: Any,
            area: Any,
        ) -> dict[str, Any]:
            given = (mean_radius, mean_texture, mean_smoothness, mean_concavity, area)
            scores = self.scores(dict(zip(columns, given, strict=True)))
            best = tf.argmax(scores, 1)
            return {
                "class": tf.gather(self.classes, best),
                "probability": tf.reduce_max(scores, 1),
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])  # type: ignore[untyped-decorator]
        def examples(self, inputs: Any) -> dict[str, Any]:
            """Answers Classify: serialized tf.Examples in, all classes with their scores out."""
            kinds = {name: tf.io.FixedLenFeature([], spec.dtype) for name, spec in columns.items()}
            scores = self.scores(tf.io.parse_example(inputs, kinds))
            count = tf.shape(scores)[0]
            return {"classes": tf.tile(self.classes[None], [count, 1]), "scores": scores}

    return Tabular()


if __name__ == "__main__":
    main()
    sys.exit(0)
