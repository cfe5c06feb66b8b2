"""Finds the model in an export, wherever the portal or whoever packed it again has put it."""

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
    """Where everything is, as paths in the export.

    Attributes:
        weights: the file to run.
        weights_file: what it is to be called, one of ``weights_files()``.
        variables: of a SavedModel, by what they are to be called.
        labels: one a line; None if there is no such file.
        input_spec: a ``model.json`` beside the weights, or None.
        metadata: Custom Vision's ``metadata_properties.json``, or None.
        licences: by what they are to be called.
        passed_over: other files in the same folder that could have been run.
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
    """The path of the manifest, or None.

    Raises:
        ToolError: there are several.
    """
    found = [path for path in _visible(paths) if PurePosixPath(path).name == MANIFEST_FILE]
    if len(found) > 1:
        raise ToolError(f"there are several exports in it: {listed(found)}. Give one of them.")
    return found[0] if found else None


def find_model(
    paths: Collection[str], manifest_path: str | None, manifest: ExportManifest
) -> Layout:
    """Finds the model and what belongs to it.

    Args:
        paths: of all files in the export.
        manifest_path: where the manifest is, if there is one.
        manifest: what it says; empty if there is none.

    Raises:
        ToolError: there is no model, there are several, or the one that the manifest names is not
            there.
    """
    visible = set(_visible(paths))
    found = [path for path in visible if PurePosixPath(path).name in weights_files()]
    named = _beside(manifest_path, manifest.model_file_name)
    if named is not None:
        if named not in visible:
            raise ToolError(
                f"{manifest_path} names {manifest.model_file_name!r}, which is not there. Export "
                "the iteration again."
            )
        found.append(named)
    if not found:
        raise ToolError(by_files(visible))
    homes = {PurePosixPath(path).parent for path in found}
    if len(homes) > 1:
        raise ToolError(
            f"there are models in several folders: {listed(set(found))}. Give one of these folders."
        )
    home = homes.pop()
    weights = named or min(found, key=lambda path: weights_files().index(PurePosixPath(path).name))

    def nearest(*names: str | None) -> str | None:
        """The first of these files that is in the model's folder or one around it."""
        wanted = [str(place / name) for place in (home, *home.parents) for name in names if name]
        return next((path for path in wanted if path in visible), None)

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
        passed_over=tuple(sorted({PurePosixPath(path).name for path in found if path != weights})),
    )


def _visible(paths: Collection[str]) -> Iterator[str]:
    """All but what macOS puts into zip files and folders of its own accord."""
    for path in paths:
        parts = PurePosixPath(path).parts
        if "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield path


def _beside(path: str | None, name: str | None) -> str | None:
    return str(PurePosixPath(path).parent / name) if path and name else None


def _inside(
    folder: PurePosixPath, paths: Collection[str], pattern: re.Pattern[str]
) -> Iterator[tuple[str, str]]:
    """Files of certain names, each by its path from the folder on, and in the export."""
    for path in sorted(paths):
        if PurePosixPath(path).is_relative_to(folder):
            name = str(PurePosixPath(path).relative_to(folder))
            if pattern.fullmatch(name):
                yield name, path


def _weights_file(path: str, manifest: ExportManifest) -> str:
    """What the app calls a file, whatever the manifest does."""
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
