"""Trains a network on images of clothes, and serves it: image file in, label out.

Fashion-MNIST is downloaded when it can be; otherwise scikit-learn's handwritten digits go through
the same code.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# So that `python examples/fashion_mnist.py` works as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import parser, seeded, show_how_to_serve
from tools.export import export_classifier, preset
from tools.zoo.imagenet import bounded_waits

SIZE = 28
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DIGITS = tuple("0123456789")
# Keras's source of the data set, with the files of its authors.
SOURCE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
QUICK_IMAGES = 1500


class Data(NamedTuple):
    """Images are uint8 [N, 28, 28, 1], classes int64 [N]."""

    train: np.ndarray
    train_classes: np.ndarray
    test: np.ndarray
    test_classes: np.ndarray
    labels: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> Path:
    """Trains and exports; returns the version folder."""
    quick = f"one round over {QUICK_IMAGES} images, to see the way"
    options = parser("fashion_mnist", __doc__ or "", epochs=8, quick=quick)
    options.add_argument("--data", choices=["auto", "digits"], default="auto")
    options.add_argument("--source", default=SOURCE, help="where Fashion-MNIST is downloaded from")
    args = options.parse_args(argv)
    seeded(args.seed)
    data = digits() if args.data == "digits" else fashion_or_digits(args.source)

    images, epochs = (QUICK_IMAGES, 1) if args.quick else (len(data.train), args.epochs)
    model = network(len(data.labels))
    model.fit(
        data.train[:images] / np.float32(255),
        data.train_classes[:images],
        epochs=epochs,
        verbose=0,
    )
    scores = model.predict(data.test / np.float32(255), verbose=0)
    recognised = scores.argmax(1) == data.test_classes
    print(f"{recognised.mean():.1%} of {len(data.test)} test images are recognised.")

    input_spec = preset("0-1", size=(SIZE, SIZE), channels="GRAY", resize="stretch")
    folder = export_classifier(
        model, data.labels, input_spec, name=args.name, models_dir=args.models_dir
    )
    shown = int(recognised.argmax())
    image = save_image(data.test[shown], folder)
    print(f"{image} is a test image: {data.labels[data.test_classes[shown]]}")
    show_how_to_serve(folder, [str(image)])
    return folder


def save_image(pixels: np.ndarray, folder: Path) -> Path:
    """Writes an image for requests beside the model, where servers do not look."""
    from PIL import Image

    path = folder / "assets.extra" / "sample.png"
    path.parent.mkdir()
    Image.fromarray(pixels[..., 0]).save(path)
    return path


def network(classes: int) -> Any:
    """Makes two convolutions and a layer on top, with probabilities as its output."""
    import keras

    made = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


def fashion_or_digits(source: str) -> Data:
    """Loads Fashion-MNIST, or the digits without a network."""
    try:
        return fashion(source)
    except Exception as exc:  # raised by Keras for a failed download
        print(f"Fashion-MNIST cannot be downloaded ({exc}): taking scikit-learn's digits instead.")
        return digits()


def fashion(source: str) -> Data:
    """Downloads Fashion-MNIST, or takes it from Keras's cache.

    Raises:
        Exception: it cannot be downloaded.
    """
    import keras

    with bounded_waits():
        files = [
            Path(keras.utils.get_file(name, f"{source}/{name}", cache_subdir="fashion-mnist"))
            for name in FILES
        ]
    images = [
        np.frombuffer(gzip.decompress(files[index].read_bytes()), np.uint8, offset=16)
        for index in (0, 2)
    ]
    classes = [
        np.frombuffer(gzip.decompress(files[index].read_bytes()), np.uint8, offset=8)
        for index in (1, 3)
    ]
    train, test = (each.reshape(-1, SIZE, SIZE, 1) for each in images)
    return Data(train, classes[0].astype(int), test, classes[1].astype(int), CLOTHES)


def digits() -> Data:
    """Loads scikit-learn's digits, 8 x 8, scaled to the size of Fashion-MNIST's images."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).astype(np.uint8)
    size = (SIZE, SIZE)
    large = [Image.fromarray(each).resize(size, Image.Resampling.BILINEAR) for each in pixels]
    images = np.stack([np.asarray(each) for each in large])[..., None]
    split = len(images) * 4 // 5
    return Data(
        images[:split],
        digits.target[:split],
        images[split:],
        digits.target[split:],
        DIGITS,
    )


if __name__ == "__main__":
    main()
    sys.exit(0)
