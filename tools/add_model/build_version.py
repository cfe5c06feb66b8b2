"""Fills a version folder from an export: copies, checks, loads and optionally converts it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_classifier.engines.base import first_line
from image_classifier.engines.registry import SAVED_MODEL, choose_engine
from image_classifier.errors import ClassifierError
from image_classifier.model_files.cvexport_manifest import MANIFEST_FILE
from image_classifier.model_files.input_spec import INPUT_SPEC_FILE
from image_classifier.model_files.labels import LABELS_FILE
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model
from image_classifier.pipeline import Pipeline
from image_classifier.results import TagProbability, tags_from_scores
from image_classifier.settings import Settings
from tools.add_model.checks import check_checksum, check_operations
from tools.add_model.export import Export, no_labels
from tools.add_model.layout import METADATA_FILE
from tools.add_model.onnx_labels import labels_in
from tools.add_model.saved_model import input_spec_of
from tools.convert.conversion import convert_folder
from tools.model_sources.source import MOST_BYTES, copy_file
from tools.shared.errors import ToolError
from tools.shared.steps import Steps

__all__ = ["Filled", "fill"]

# A tag has 128 letters at most, and there are some hundreds at most.
_MOST_TEXT_BYTES = 1024**2


@dataclass(frozen=True)
class Filled:
    """The content of a version folder.

    Attributes:
        loaded: the model, as the app loads it.
        checksum: the result of comparing it, in words.
        tags: of the sample image, the most probable first; None without a sample.
    """

    loaded: LoadedModel
    checksum: str
    tags: tuple[TagProbability, ...] | None


def fill(
    folder: Path, export: Export, *, name: str, sample: bytes | None, to_onnx: bool, steps: Steps
) -> Filled:
    """Fills a version folder and loads the model in it.

    Args:
        folder: an empty folder with the number of the version as its name.
        export: the export to copy.
        name: of the model.
        sample: an image to classify, or None.
        to_onnx: converts a TensorFlow model.
        steps: prints the progress.

    Raises:
        ToolError: the export is damaged, or is no model that the app can serve.
    """
    files = _files(export)
    size = sum(export.source.sizes[path] for path in files.values())
    with steps(f"copy {len(files)} files, {size / 1e6:,.1f} MB"):
        checksum = _copy(folder, files, export)
    with steps("load it"), _errors_translated(folder, export):
        _complete(folder, export)
        loaded = Model(name, int(folder.name), folder).load()
    if to_onnx:
        with _errors_translated(folder, export):
            convert_folder(folder, steps=steps)
            loaded = Model(name, int(folder.name), folder).load()
    tags = None
    if sample is not None:
        with steps("classify the sample"), _errors_translated(folder, export):
            pipeline = Pipeline(Settings.from_environ({}))
            scores, _ = pipeline.run(pipeline.open(sample), loaded.engine)
            tags = tuple(
                sorted(tags_from_scores(loaded.labels, scores), key=lambda tag: -tag.probability)
            )
    return Filled(loaded, checksum, tags)


def _files(export: Export) -> dict[str, str]:
    """The paths in the export of all files to copy, by their paths in the version folder."""
    layout = export.layout
    texts = {
        LABELS_FILE: layout.labels,
        INPUT_SPEC_FILE: layout.input_spec,
        MANIFEST_FILE: export.manifest_path,
        METADATA_FILE: layout.metadata if export.metadata else None,
        **layout.licences,
    }
    files = {name: path for name, path in texts.items() if path is not None}
    for path in files.values():
        if export.source.sizes[path] > _MOST_TEXT_BYTES:
            raise ToolError(
                f"{path} has {export.source.sizes[path]:,} bytes; at most {_MOST_TEXT_BYTES:,} are "
                "copied of a text."
            )
    files |= {layout.weights_file: layout.weights}
    if layout.weights_file == SAVED_MODEL:
        files |= layout.variables
    size = sum(export.source.sizes[path] for path in files.values())
    if size > MOST_BYTES:
        raise ToolError(
            f"the model has {size:,} bytes; at most {MOST_BYTES:,} are copied. No export is so "
            "large."
        )
    return files


def _copy(folder: Path, files: dict[str, str], export: Export) -> str:
    checksum = ""
    for name, path in files.items():
        digest = copy_file(export.source, path, folder / name)
        if path == export.layout.weights:
            checksum = check_checksum(export.manifest, path, digest)
    return checksum


def _complete(folder: Path, export: Export) -> None:
    """Writes files that the app needs beside the weights, and the export has inside them."""
    _, weights = choose_engine(folder, "auto")  # raises if a package is missing
    if weights.suffix == ".pb":
        # Imported first, for it silences TensorFlow's log.
        from image_classifier.engines import tensorflow  # noqa: F401

        check_operations(weights)
    if export.layout.labels is None:
        labels = labels_in(weights)
        if not labels:
            raise no_labels(export.layout)
        (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), "utf-8")
    if weights.name == SAVED_MODEL and export.layout.input_spec is None:
        text = json.dumps(input_spec_of(weights).as_dict(), indent=2)
        (folder / INPUT_SPEC_FILE).write_text(f"{text}\n", "utf-8")


@contextmanager
def _errors_translated(folder: Path, export: Export) -> Iterator[None]:
    """Turns the exceptions of a runtime into a sentence about the export."""
    try:
        yield
    except ClassifierError as exc:
        # The folder is removed before the message is read.
        raise ToolError(exc.message.replace(f"{folder}{os.sep}", "")) from exc
    except ToolError:
        raise
    except Exception as exc:  # runtimes raise many kinds of exceptions for damaged files
        raise ToolError(
            f"{export.layout.weights} cannot be used: {type(exc).__name__}: {first_line(exc)}."
        ) from exc
