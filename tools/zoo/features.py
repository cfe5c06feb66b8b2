"""Extracts the features of a folder of images, and reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.engines.base import first_line
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from tools.shared.errors import ToolError
from tools.shared.image_folders import MOST_PIXELS, UNREADABLE, reason, visible_images_in
from tools.zoo.networks import Recipe, fingerprint

__all__ = ["Features", "check_place", "extract", "read_features"]

BATCH = 16  # images at a time


@dataclass(frozen=True)
class Features:
    """The features of some images.

    Attributes:
        values: float32 [N, number of features].
        files: N paths, relative to the folder.
        labels: N names of the top folders of the images; "" for images in none.
        recipe: of the featuriser.
        sha256: of its weights.
    """

    values: NDArray[np.float32]
    files: tuple[str, ...]
    labels: tuple[str, ...]
    recipe: Recipe
    sha256: str

    def save(self, path: Path) -> None:
        """Writes them as an ``.npz``: ``features``, ``files``, ``labels`` and ``about`` (JSON).

        Raises:
            ToolError: the file cannot be written; an existing one remains.
        """
        about = {**self.recipe.as_dict(), "features_sha256": self.sha256}
        with _beside(path) as beside:
            with beside.open("wb") as file:
                np.savez(
                    file,
                    features=self.values,
                    files=np.array(self.files),
                    labels=np.array(self.labels),
                    about=np.array(json.dumps(about)),
                )
            beside.replace(path)


def check_place(path: Path) -> None:
    """Checks, before the long work, that features can be written to a path.

    Raises:
        ToolError: they cannot.
    """
    if path.suffix != ".npz" or path.is_dir():
        raise ToolError(f"{path}: the file with the features must end in .npz and be no folder.")
    with _beside(path) as beside:
        beside.touch()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside another; ToolError if it cannot be written."""
    beside = path.with_name(f"{path.name}.new")
    try:
        try:
            yield beside
        finally:
            beside.unlink(missing_ok=True)
    except OSError as exc:
        raise ToolError(
            f"{path} cannot be written: {exc.strerror}. Name a file in a folder that is there, can "
            "be written to and has room."
        ) from exc


def read_features(path: Path) -> Features:
    """Reads a file of ``Features.save``.

    Raises:
        ToolError: the file is another one, or damaged.
    """
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
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
        raise ToolError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    except Exception as exc:  # exceptions about damaged files share no base class
        raise ToolError(
            f"{path} is no file that `python -m tools.zoo features` wrote, or is damaged "
            f"({type(exc).__name__}: {first_line(exc)}). Make the features again."
        ) from exc


def extract(featuriser: Any, recipe: Recipe, folder: Path) -> tuple[Features, dict[str, str]]:
    """Runs a featuriser over all images of a folder, behind a progress bar.

    The images are decoded and preprocessed as the app does.

    Args:
        featuriser: Keras model: preprocessed images -> [N, number of features].
        recipe: of the featuriser.
        folder: has a sub-folder for each label.

    Returns:
        The features, and the images that cannot be read: path -> reason.

    Raises:
        ToolError: the folder has no image that can be read.
    """
    import tensorflow as tf

    run = tf.function(lambda batch: featuriser(batch))
    values: list[NDArray[np.float32]] = []
    files: list[str] = []
    bad: dict[str, str] = {}
    for names, batch in _batches(folder, recipe, bad):
        # Padded, so that the function is traced for one shape only.
        filled = np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), "f")])
        values.append(np.asarray(run(filled), np.float32)[: len(batch)])
        files += names
    if not files:
        raise ToolError(f"There are no images that can be read in {folder}.")
    labels = [name.split("/")[0] if "/" in name else "" for name in files]
    features = Features(
        np.concatenate(values), tuple(files), tuple(labels), recipe, fingerprint(featuriser)
    )
    return features, bad


def _batches(
    folder: Path, recipe: Recipe, bad: dict[str, str]
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    from tqdm import tqdm

    input_spec = recipe.input_spec()
    paths: Sequence[Path] = visible_images_in(folder)
    names: list[str] = []
    tensors: list[NDArray[np.float32]] = []
    for path in tqdm(paths, unit="image", disable=None):
        name = path.relative_to(folder).as_posix()
        try:
            image = decode(path.read_bytes(), max_pixels=MOST_PIXELS)
        except UNREADABLE as exc:
            bad[name] = reason(exc)
            continue
        tensors.append(preprocess(image, input_spec))
        names.append(name)
        if len(names) == BATCH:
            yield names, np.stack(tensors)
            names, tensors = [], []
    if names:
        yield names, np.stack(tensors)
