"""Gathers the files of a model to register from a folder, a zip file or a file, and loads them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from image_classifier.engines.base import EngineOptions
from image_classifier.engines.registry import weights_files
from image_classifier.errors import ModelError
from image_classifier.model_files.cvexport_manifest import MANIFEST_FILE as EXPORT_MANIFEST
from image_classifier.model_files.labels import LABELS_FILE
from image_classifier.model_files.registry_json import (
    LARGEST_VERSION_BYTES,
    MANIFEST_FILE,
    MOST_FILES,
    TAGS_FILE,
    is_safe_path,
)
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model
from tools.model_sources.folder import Folder
from tools.model_sources.messages import errors_named, listed, shown
from tools.model_sources.source import Source, copy_file
from tools.model_sources.zip_archive import Archive
from tools.shared.errors import ToolError

__all__ = ["gather", "try_out"]

# The files that are taken along with a single file of weights.
BESIDE = (LABELS_FILE, "model.json", EXPORT_MANIFEST)
WEIGHTS_OF_SUFFIX = {".onnx": "model.onnx", ".pb": "model.pb"}


@contextmanager
def gather(source: Path) -> Iterator[Path]:
    """Yields a temporary folder with the files of a version, under the names that the app reads.

    Args:
        source: a folder with weights, a zip file with one such folder (as Custom Vision exports
            it), or a file ``*.onnx`` or ``*.pb`` with its ``labels.txt`` beside it.

    Raises:
        ToolError: the source holds no model, holds too much besides, or must not be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="register-") as staging:
        folder = Path(staging)
        try:
            _fill(folder, source)
        except OSError as exc:
            raise ToolError(
                f"{source} cannot be read or copied: {exc.strerror or exc}. Check its name, and "
                f"that there is room in {folder.parent}."
            ) from exc
        except ToolError as exc:
            raise ToolError(shown(exc)) from exc
        yield folder


def try_out(folder: Path, name: str) -> LoadedModel:
    """Loads a version as a server would, which also runs it once.

    Raises:
        ToolError: it cannot be loaded; the message has the reason.
    """
    try:
        return Model(name, 0, folder, options=EngineOptions()).load()
    except ModelError as exc:
        reason = exc.message.replace(f"{folder}{os.sep}", "").replace(str(folder), "the folder")
        raise ToolError(f"No server could load it: {reason}") from exc


def _fill(folder: Path, path: Path) -> None:
    if not path.exists():
        raise ToolError(f"{path} is not there: name a folder, a .zip, or a file of weights.")
    if path.is_dir():
        source = Folder(path, name=str(path), follow_links=True, skip=_is_left_behind)
        _place(source, {inside: inside for inside in source.sizes}, folder)
    elif path.suffix.lower() == ".zip":
        with closing(Archive(path, name=str(path))) as archive:
            _place(archive, _files_of_model(archive), folder)
    else:
        names = _names_beside(path)
        source = Folder(
            path.parent,
            name=str(path.parent),
            follow_links=True,
            skip=lambda name: name not in names.values(),
        )
        files = {inside: name for inside, name in names.items() if name in source.sizes}
        _place(source, files, folder)


def _is_left_behind(path: str) -> bool:
    """Whether a file belongs to another registry, to a desktop or to Python's cache."""
    parts = path.split("/")
    hidden = any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in parts)
    return hidden or path in (MANIFEST_FILE, TAGS_FILE)


def _files_of_model(archive: Archive) -> dict[str, str]:
    """The paths in a zip file, by those in the version: of its top, or of the folder with weights.

    A folder of a zip file cannot be named on the command line; one on a disk can.
    """
    paths = [PurePosixPath(path) for path in archive.sizes if not _is_left_behind(path)]
    if not paths:
        raise ToolError(f"{archive.name}: there are no files in it.")
    homes = {path.parent for path in paths if path.name in weights_files()}
    top = PurePosixPath()
    if len(homes) > 1 and top not in homes:
        raise ToolError(
            f"{archive.name} has models in several folders: {listed([*map(str, homes)])}. Unpack "
            "it, and register one of them."
        )
    home = homes.pop() if len(homes) == 1 else top
    files = {str(path.relative_to(home)): str(path) for path in paths if home in path.parents}
    return {inside: path for inside, path in files.items() if not _is_left_behind(inside)}


def _names_beside(path: Path) -> dict[str, str]:
    """The names of a file of weights and of the files beside it, by those in the version."""
    weights_file = WEIGHTS_OF_SUFFIX.get(path.suffix.lower())
    if path.name == "saved_model.pb" or weights_file is None:
        raise ToolError(
            f"{path} cannot be registered alone: name a file *.onnx or *.pb, a .zip of a Custom "
            "Vision export, or the folder of a SavedModel."
        )
    return {weights_file: path.name, **{name: name for name in BESIDE}}


def _place(source: Source, files: Mapping[str, str], folder: Path) -> None:
    """Links or copies files of a source into a folder, by their paths in it."""
    total = sum(source.sizes[path] for path in files.values())
    if len(files) > MOST_FILES or total > LARGEST_VERSION_BYTES:
        raise ToolError(
            f"{source.name} has more than {MOST_FILES:,} files or "
            f"{LARGEST_VERSION_BYTES / 1e9:.1f} GB: name the folder that holds nothing but the "
            "model."
        )
    if not files.keys() & set(weights_files()):
        raise ToolError(
            f"{source.name} holds no {' or '.join(weights_files())}{_hint(source.name, files)}"
        )
    for inside, path in files.items():
        if not is_safe_path(inside):
            raise ToolError(
                f"{source.name}/{path} has a name that not every system can have: rename it."
            )
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        # A link suffices: the registry keeps a copy of it.
        if not source.link(path, target):
            with errors_named(source.name):
                copy_file(source, path, target)


def _hint(name: str, files: Collection[str]) -> str:
    """Names a folder inside that has weights, if there is one."""
    paths = [PurePosixPath(path) for path in sorted(files)]
    for weights_file in weights_files():
        for path in paths:
            if path.name == weights_file and len(path.parts) == 2:
                return f", but {Path(name) / path.parent} does: register that folder."
    return ": name the folder that holds one of them."
