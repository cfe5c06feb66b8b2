"""Finds the model and its files in any folder of an export."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from image_classifier.engines.registry import SAVED_MODEL, weights_files
from image_classifier.model_files.cvexport_manifest import MANIFEST_FILE, ExportManifest
from image_classifier.model_files.input_spec import INPUT_SPEC_FILE
from image_classifier.model_files.labels import LABELS_FILE
from tools.add_model.unsupported_exports import by_files
from tools.model_sources.messages import listed
from tools.shared.errors import ToolError

__all__ = ["METADATA_FILE", "Layout", "find_manifest", "find_model"]

METADATA_FILE = "metadata_properties.json"

_VARIABLES = re.compile(r"variables/variables\.(index|data-[0-9]{5}-of-[0-9]{5})")
_LICENCE = re.compile(r"(LICEN[CS]E|NOTICE)(\.txt|\.md)?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """The paths of files in an export.

    Attributes:
        weights: the file to run.
        weights_file: its name in a version, one of ``weights_files()``.
        variables: of a SavedModel, by their names in a version.
        labels: the file with one label a line, or None.
        input_spec: a ``model.json`` beside the weights, or None.
        metadata: Custom Vision's ``metadata_properties.json``, or None.
        licences: by their names in a version.
        passed_over: other weights in the same folder.
    """

    weights: str
    weights_file: str
    variables: dict[str, str]
    labels: str | None
    input_spec: str | None
    metadata: str | None
    licences: dict[str, str]
    passed_over: tuple[str, ...]


def find_manifest(paths: Collection[str]) -> str | None:
    """Finds the path of the manifest; None without one.

    Raises:
        ToolError: there are several manifests.
    """
    manifests = [path for path in _visible(paths) if PurePosixPath(path).name == MANIFEST_FILE]
    if len(manifests) > 1:
        raise ToolError(f"there are several exports in it: {listed(manifests)}. Give one of them.")
    return manifests[0] if manifests else None


def find_model(
    paths: Collection[str], manifest_path: str | None, manifest: ExportManifest
) -> Layout:
    """Finds the model and the files that belong to it.

    Args:
        paths: of all files in the export.
        manifest_path: the path of the manifest, or None.
        manifest: its content; empty without one.

    Raises:
        ToolError: there is no model, there are several, or the one that the manifest names is
            missing.
    """
    visible = set(_visible(paths))
    candidates = [path for path in visible if PurePosixPath(path).name in weights_files()]
    named = _beside(manifest_path, manifest.model_file_name)
    if named is not None:
        if named not in visible:
            raise ToolError(
                f"{manifest_path} names {manifest.model_file_name!r}, which is not there. Export "
                "the iteration again."
            )
        candidates.append(named)
    if not candidates:
        raise ToolError(by_files(visible))
    homes = {PurePosixPath(path).parent for path in candidates}
    if len(homes) > 1:
        raise ToolError(
            f"there are models in several folders: {listed(set(candidates))}. Give one of these "
            "folders."
        )
    home = homes.pop()
    weights = named or min(
        candidates, key=lambda path: weights_files().index(PurePosixPath(path).name)
    )

    def nearest(*names: str | None) -> str | None:
        """The first of these files that is in the model's folder or one around it."""
        options = [str(folder / name) for folder in (home, *home.parents) for name in names if name]
        return next((path for path in options if path in visible), None)

    return Layout(
        weights=weights,
        weights_file=_weights_file(weights, manifest),
        variables=dict(_inside(home, visible, _VARIABLES)),
        labels=nearest(manifest.label_file_name, LABELS_FILE),
        input_spec=input_spec if (input_spec := str(home / INPUT_SPEC_FILE)) in visible else None,
        metadata=nearest(manifest.metadata_props_file_name, METADATA_FILE),
        licences={
            name: path
            for place in (*reversed(home.parents), home)
            for name, path in _inside(place, visible, _LICENCE)
        },
        passed_over=tuple(
            sorted({PurePosixPath(path).name for path in candidates if path != weights})
        ),
    )


def _visible(paths: Collection[str]) -> Iterator[str]:
    """Yields all paths but those that macOS adds to zip files and folders."""
    for path in paths:
        parts = PurePosixPath(path).parts
        if "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield path


def _beside(path: str | None, name: str | None) -> str | None:
    return str(PurePosixPath(path).parent / name) if path and name else None


def _inside(
    folder: PurePosixPath, paths: Collection[str], pattern: re.Pattern[str]
) -> Iterator[tuple[str, str]]:
    """Yields files that match a pattern: the path in the folder, and the path in the export."""
    for path in sorted(paths):
        if PurePosixPath(path).is_relative_to(folder):
            name = str(PurePosixPath(path).relative_to(folder))
            if pattern.fullmatch(name):
                yield name, path


def _weights_file(path: str, manifest: ExportManifest) -> str:
    """The name in a version for weights with any name in the manifest."""
    name = PurePosixPath(path).name
    if name in weights_files():
        return name
    if (manifest.flavor or "").lower() == "tensorflowsavedmodel":
        return SAVED_MODEL
    suffix = PurePosixPath(name).suffix.lower()
    for file in weights_files():
        if file.endswith(suffix) and suffix:
            return file
    raise ToolError(f"the model is {name!r}: {by_files([path])}")
