"""Trains a model of the sentiment of sentences: text in, label and score out.

Words are split and looked up inside the graph, so clients send the text as it is. The labelled
sentences are in sentences.tsv beside this file.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# So that `python examples/text_sentiment.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import parser, seeded, show_how_to_serve
from tools.export import export_module

LABELS = ("negative", "positive")
QUICK_EPOCHS = 10
LEAST_COUNT = 2  # of a word, to be in the vocabulary
SENTENCES = Path(__file__).with_name("sentences.tsv")


def main(argv: Sequence[str] | None = None) -> Path:
    """Trains and exports; returns the version folder."""
    quick = f"{QUICK_EPOCHS} epochs, to see the way"
    args = parser("text_sentiment", __doc__ or "", epochs=60, quick=quick).parse_args(argv)
    epochs = QUICK_EPOCHS if args.quick else args.epochs
    seeded(args.seed)
    import keras

    texts, classes = read_sentences()
    order = np.random.default_rng(args.seed).permutation(len(texts))
    texts, classes = [texts[index] for index in order], classes[order]
    held_out = len(texts) // 5
    words = vocabulary(texts[held_out:])

    layer = keras.layers.Dense(1, activation="sigmoid")
    layer.build((None, len(words)))
    model = keras.Sequential([keras.Input((len(words),)), layer])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    sentiment = make_module(words, layer)
    features = sentiment.words_in(texts).numpy()
    model.fit(features[held_out:], classes[held_out:], epochs=epochs, verbose=0)
    scores = model.predict(features[:held_out], verbose=0)[:, 0]
    accuracy = float(((scores > 0.5) == classes[:held_out]).mean())
    print(f"{accuracy:.0%} of {held_out} held-out sentences are told right.")

    folder = export_module(
        sentiment,
        {"serving_default": sentiment.serving_default},
        name=args.name,
        models_dir=args.models_dir,
    )
    show_how_to_serve(folder, ["--text", "what a wonderful day"])
    return folder


def read_sentences() -> tuple[list[str], np.ndarray]:
    """Reads the sentences, and 1 for the pleased ones."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return [text for _, text in rows], np.array([LABELS.index(label) for label, _ in rows])


def vocabulary(texts: Sequence[str]) -> list[str]:
    """Lists the words that come more than once, as the graph splits them."""
    counts = Counter(word for text in texts for word in "".join(map(_letter, text.lower())).split())
    return sorted(word for word, count in counts.items() if count >= LEAST_COUNT)


def _letter(letter: str) -> str:
    return letter if letter.isascii() and (letter.isalpha() or letter == "'") else " "


def make_module(words: Sequence[str], layer: Any) -> Any:
    """Splits, looks up and scores, as one ``tf.Module``."""
    import tensorflow as tf

    class Sentiment(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            keys = tf.constant(list(words))
            numbers = tf.range(len(words), dtype=tf.int64)
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, numbers), default_value=-1
            )
            # Keras keeps TensorFlow's variables inside its own, where tf.Module does not look.
            self.kept = [each.value for each in layer.variables]
            self.labels = tf.constant(LABELS)

        def words_in(self, texts: Any) -> Any:
            """Marks the words in each text: float32 [N, number of words]."""
            lower = tf.strings.lower(tf.convert_to_tensor(texts))
            tokens = tf.strings.split(tf.strings.regex_replace(lower, "[^a-z']", " "))
            numbers = self.table.lookup(tokens).to_tensor(default_value=-1)
            times = tf.reduce_sum(tf.one_hot(numbers, len(words)), axis=1)
            return tf.minimum(times, 1.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator]
        def serving_default(self, text: Any) -> dict[str, Any]:
            positive = layer(self.words_in(text))[:, 0]
            is_positive = positive > 0.5
            return {
                "label": tf.gather(self.labels, tf.cast(is_positive, tf.int32)),
                "score": tf.where(is_positive, positive, 1 - positive),
            }

    return Sentiment()


if __name__ == "__main__":
    main()
    sys.exit(0)
