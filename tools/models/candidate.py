"""What is to be registered: gathered from a folder, a zip or one file, and tried out."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

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
from tools.model_sources.zip_errors import ZIP_ERRORS
from tools.models.registry import RegistryError

__all__ = ["gather", "try_out"]

# What is taken along with a single file of weights.
BESIDE = (LABELS_FILE, "model.json", EXPORT_MANIFEST)
WEIGHTS_OF_SUFFIX = {".onnx": "model.onnx", ".pb": "model.pb"}


@contextmanager
def gather(source: Path) -> Iterator[Path]:
    """A folder with the version's files under the names that the app knows.

    Args:
        source: a folder with weights, a zip of one (as Custom Vision exports it), or a file
            ``*.onnx`` or ``*.pb`` with its ``labels.txt`` beside it.

    Raises:
        RegistryError: there is no model in it, or too much besides.
    """
    with tempfile.TemporaryDirectory(prefix="register-") as staging:
        folder = Path(staging)
        try:
            _fill(folder, source)
        except OSError as exc:
            raise RegistryError(
                f"{source} cannot be read or copied: {exc.strerror or exc}. Check its name, and "
                f"that there is room in {folder.parent}."
            ) from exc
        if not any((folder / name).is_file() for name in weights_files()):
            raise RegistryError(
                f"{source} holds no {' or '.join(weights_files())}{_hint(folder, source)}"
            )
        yield folder


def try_out(folder: Path, name: str) -> LoadedModel:
    """Loads it as a server would, which also runs it once.

    Raises:
        RegistryError: it cannot be loaded; the message says why.
    """
    try:
        return Model(name, 0, folder, options=EngineOptions()).load()
    except ModelError as exc:
        said = exc.message.replace(f"{folder}{os.sep}", "").replace(str(folder), "the folder")
        raise RegistryError(f"No server could load it: {said}") from exc


def _fill(folder: Path, source: Path) -> None:
    if not source.exists():
        raise RegistryError(f"{source} is not there: name a folder, a .zip, or a file of weights.")
    if source.is_dir():
        _place(_files_in(source), folder)
    elif source.suffix.lower() == ".zip":
        _unpack(source, folder)
    else:
        _place(_files_beside(source), folder)


def _files_in(source: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    total = 0
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source).as_posix()
        if not path.is_file() or _is_passed_over(inside):
            continue
        found[inside] = path
        total += path.stat().st_size
        _check_size(source, len(found), total)
    return found


def _is_passed_over(path: str) -> bool:
    """Whether it is another registry's, or what a desktop or Python left behind."""
    parts = path.split("/")
    if ".." in parts:
        return False
    left = any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in parts)
    return left or path in (MANIFEST_FILE, TAGS_FILE)


def _files_beside(source: Path) -> dict[str, Path]:
    known = WEIGHTS_OF_SUFFIX.get(source.suffix.lower())
    if source.name == "saved_model.pb" or known is None:
        raise RegistryError(
            f"{source} cannot be registered alone: name a file *.onnx or *.pb, a .zip of a Custom "
            "Vision export, or the folder of a SavedModel."
        )
    beside = {name: source.parent / name for name in BESIDE}
    return {known: source, **{name: path for name, path in beside.items() if path.is_file()}}


def _place(files: Mapping[str, Path], folder: Path) -> None:
    for inside, path in files.items():
        if not is_safe_path(inside):
            raise RegistryError(f"{path} has a name that not every system can have: rename it.")
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Only to look at: what is kept is a copy. Of a symbolic link it is the file itself,
            # for the link would point elsewhere from there.
            os.link(path.resolve(), target)
        except OSError:
            shutil.copyfile(path, target)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir() and not _is_passed_over(entry.filename)
            ]
            _check_size(source, len(entries), sum(entry.file_size for entry in entries))
            for entry in entries:
                if not is_safe_path(entry.filename):
                    raise RegistryError(
                        f"{source} has an entry named {entry.filename!r}, which may lie outside of "
                        "it: unpack it yourself, and register the folder."
                    )
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as stream, target.open("wb") as out:
                    shutil.copyfileobj(stream, out)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
        raise RegistryError(
            f"{source} has an entry that is a file and a folder in one: unpack it yourself, and "
            "register the folder."
        ) from exc
    except ZIP_ERRORS as exc:
        raise RegistryError(f"{source} cannot be unpacked: {exc}. Download it again.") from exc


def _check_size(source: Path, count: int, total: int) -> None:
    if count > MOST_FILES or total > LARGEST_VERSION_BYTES:
        raise RegistryError(
            f"{source} has more than {MOST_FILES:,} files or {LARGEST_VERSION_BYTES / 1e9:.1f} GB: "
            "name the folder that holds nothing but the model."
        )


def _hint(folder: Path, source: Path) -> str:
    deeper = [path for name in weights_files() for path in sorted(folder.glob(f"*/{name}"))]
    if not deeper:
        return ": name the folder that holds one of them."
    inner = deeper[0].parent.relative_to(folder)
    if source.suffix.lower() == ".zip":
        return f" at its top, but in {inner}/: unpack it, and register that folder."
    return f", but {source / inner} does: register that folder."
