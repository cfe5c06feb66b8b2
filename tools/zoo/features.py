"""The features of a folder of pictures, and the file in which they are kept."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.decode import decode
from image_classifier.preprocess import preprocess
from tools.pictures import MOST_PIXELS, UNREADABLE, pictures_in, reason
from tools.zoo.networks import Recipe, fingerprint

__all__ = ["Features", "FeaturesError", "extract", "read_features"]

BATCH = 16  # pictures at a time


class FeaturesError(Exception):
    """There are no such features, or they do not serve; the message says what to do."""


@dataclass(frozen=True)
class Features:
    """What a featuriser gave for some pictures.

    Attributes:
        values: float32 [N, number of features].
        files: N paths, relative to the folder.
        labels: N names of the folders right below it in which the pictures are; "" for those that
            are in none.
        recipe: makes the featuriser again.
        sha256: of its weights.
    """

    values: NDArray[np.float32]
    files: tuple[str, ...]
    labels: tuple[str, ...]
    recipe: Recipe
    sha256: str

    def save(self, path: Path) -> None:
        """Writes them as an ``.npz``: ``features``, ``files``, ``labels`` and ``about`` (JSON)."""
        about = {**self.recipe.as_dict(), "features_sha256": self.sha256}
        np.savez(
            path,
            features=self.values,
            files=np.array(self.files),
            labels=np.array(self.labels),
            about=np.array(json.dumps(about)),
        )


def read_features(path: Path) -> Features:
    """Reads what ``Features.save`` wrote.

    Raises:
        FeaturesError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            sha256 = about.pop("features_sha256")
            return Features(
                np.asarray(file["features"], np.float32),
                tuple(file["files"].tolist()),
                tuple(file["labels"].tolist()),
                Recipe(**about),
                sha256,
            )
    except OSError as exc:
        raise FeaturesError(f"{path} cannot be read: {exc}.") from exc
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as exc:
        raise FeaturesError(
            f"{path} is no file that `python -m tools.zoo features` wrote: {exc}."
        ) from exc


def extract(featuriser: Any, recipe: Recipe, folder: Path) -> tuple[Features, dict[str, str]]:
    """Runs a featuriser over all pictures of a folder, with a progress bar.

    They are decoded and preprocessed as the app does it.

    Args:
        featuriser: Keras model: preprocessed pictures -> [N, number of features].
        recipe: what it was made from.
        folder: has a sub-folder for each label.

    Returns:
        The features, and the pictures that cannot be read: path -> why.

    Raises:
        FeaturesError: there is no picture.
    """
    import tensorflow as tf

    run = tf.function(lambda batch: featuriser(batch))
    values: list[NDArray[np.float32]] = []
    files: list[str] = []
    bad: dict[str, str] = {}
    for names, batch in _batches(folder, recipe, bad):
        # Filled up, so that it is always traced for the same shape.
        filled = np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), "f")])
        values.append(np.asarray(run(filled), np.float32)[: len(batch)])
        files += names
    if not files:
        raise FeaturesError(f"There are no pictures that can be read in {folder}.")
    labels = [name.split("/")[0] if "/" in name else "" for name in files]
    found = Features(
        np.concatenate(values), tuple(files), tuple(labels), recipe, fingerprint(featuriser)
    )
    return found, bad


def _batches(
    folder: Path, recipe: Recipe, bad: dict[str, str]
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    from tqdm import tqdm

    contract = recipe.contract()
    paths: Sequence[Path] = pictures_in(folder)
    names: list[str] = []
    tensors: list[NDArray[np.float32]] = []
    for path in tqdm(paths, unit="picture", disable=None):
        name = path.relative_to(folder).as_posix()
        try:
            image = decode(path.read_bytes(), max_pixels=MOST_PIXELS)
        except UNREADABLE as exc:
            bad[name] = reason(exc)
            continue
        tensors.append(preprocess(image, contract))
        names.append(name)
        if len(names) == BATCH:
            yield names, np.stack(tensors)
            names, tensors = [], []
    if names:
        yield names, np.stack(tensors)
