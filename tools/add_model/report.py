"""Describes the added model and how to try it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from image_classifier.results import TagProbability
from tools.add_model.build_version import Filled
from tools.add_model.export import Export
from tools.model_sources.messages import shown

__all__ = ["report"]

_MOST_LABELS = 6
_MOST_TAGS = 5
_WIDEST_TAG = 40

_APP = "http://localhost:7071"
_PREDICTION = "/customvision/v3.0/Prediction/PROJECT-ID/classify/iterations"


def report(folder: Path, export: Export, filled: Filled) -> Iterator[str]:
    """Yields the lines to print.

    Args:
        folder: the final folder of the version.
        export: the export that was added.
        filled: the content of the folder.
    """
    loaded = filled.loaded
    if filled.tags is not None:
        yield from _table(filled.tags)
    yield f"Added version {loaded.version} of {loaded.name}: {shown(folder)}"
    for title, text in _facts(folder, export, filled):
        yield f"  {title:<10} {shown(text)}"
    notes = [*export.notes]
    if export.metadata and (note := export.metadata.difference(loaded.engine.input_spec)):
        notes.append(note)
    for note in notes:
        yield f"  note: {shown(note)}"
    yield "Try it, with the app running (python3 dev.py start):"
    yield f"  curl --data-binary @IMAGE '{_APP}/api/classify?model={loaded.name}'"
    yield f"  curl --data-binary @IMAGE {_APP}{_PREDICTION}/{loaded.name}/image"
    models = folder.parents[1]
    elsewhere = f" and MODELS_DIR={models}" if models != Path("models") else ""
    default = f"DEFAULT_MODEL={loaded.name}{shown(elsewhere)}"
    yield f"Have it answer when no model is named: set {default}"


def _facts(folder: Path, export: Export, filled: Filled) -> Iterator[tuple[str, str]]:
    loaded, manifest, metadata = filled.loaded, export.manifest, export.metadata
    input_spec = loaded.engine.input_spec
    yield "runs with", loaded.engine_name
    yield "from", f"{export.layout.weights} in {export.source.name}"
    yield (
        "input",
        f"{input_spec.width} x {input_spec.height} pixels, {input_spec.channels}, "
        f"resized as {input_spec.resize}",
    )
    first = ", ".join(loaded.labels[:_MOST_LABELS])
    more = len(loaded.labels) - _MOST_LABELS
    yield "labels", f"{len(loaded.labels)}: {first}{f' and {more} more' if more > 0 else ''}"
    if manifest.iteration_id:
        yield "iteration", str(manifest.iteration_id)
    if manifest.exporter_version or manifest.exported_date:
        version, date = manifest.exporter_version or "?", manifest.exported_date or "?"
        yield "exported", f"{date}, by version {version} of the exporter"
    if metadata:
        size = f"{metadata.width or '?'} x {metadata.height or '?'}"
        values = [metadata.method, size, metadata.crop, metadata.resize]
        yield "metadata", ", ".join(filter(None, values))
    yield "checksum", filled.checksum
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    yield "files", ", ".join(f"{name} {size:,}" for name, size in sorted(sizes.items())) + " bytes"


def _table(tags: tuple[TagProbability, ...]) -> Iterator[str]:
    if not tags:
        yield "  the sample: no label passes"
    names = [shown(tag.tag_name)[:_WIDEST_TAG] for tag in tags[:_MOST_TAGS]]
    width = max(map(len, names), default=0)
    for name, tag in zip(names, tags, strict=False):
        yield f"      {name:<{width}}  {tag.probability:>7.2%}"
