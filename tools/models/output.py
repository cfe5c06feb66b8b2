"""Formats versions as a table, as details, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.models.registry import StoredFile, Version

__all__ = ["as_details", "as_json", "as_table", "megabytes"]

COLUMNS = ("MODEL", "VERSION", "ENGINE", "SIZE", "CREATED (UTC)", "TAGS")
LABELS_SHOWN = 20


def megabytes(count: int) -> str:
    """Formats a number of bytes in MB, or in kB below 100 kB."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def as_table(models: Mapping[str, Sequence[Version]], tags: Mapping[str, Mapping[str, str]]) -> str:
    """Formats one line for each version, and one for a model that has tags."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name, versions in models.items():
        if tags.get(name):
            rows.append((name, "(all)", "", "", "", _tags(tags[name])))
        rows += [_row(version) for version in versions]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    right = {1, 3}  # columns of numbers
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(version: Version) -> tuple[str, ...]:
    tags = _tags(version.tags)
    if version.problem:
        tags = f"{tags}  " if tags else ""
        tags += f"[not served: {version.problem.rstrip('.')}]"
    return (
        version.name,
        str(version.number),
        ", ".join(version.engines) or "-",
        megabytes(version.bytes),
        f"{version.created:%Y-%m-%d %H:%M}",
        tags,
    )


def _tags(tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def as_json(version: Version) -> dict[str, Any]:
    """Formats a version for other programs."""
    return {
        "name": version.name,
        "version": version.number,
        "engines": version.engines,
        "bytes": version.bytes,
        "created": version.created.isoformat(timespec="seconds"),
        "tags": dict(sorted(version.tags.items())),
        "problem": version.problem,
        "files": [
            {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
            for file in version.files
        ],
    }


def as_details(
    version: Version, *, where: str, labels: Sequence[str], input_spec: str, load: str | None
) -> str:
    """Formats one version in detail.

    Args:
        version: the version.
        where: the registry.
        labels: of the model.
        input_spec: the input that it takes, in words or JSON.
        load: the result of loading it; None if it was not loaded.
    """
    shown = ", ".join(labels[:LABELS_SHOWN]) + (" …" if len(labels) > LABELS_SHOWN else "")
    lines = [
        f"{version} in {where}",
        f"  created   {version.created:%Y-%m-%d %H:%M:%S} UTC",
        f"  engines   {', '.join(version.engines) or 'none'}",
        f"  labels    {f'{len(labels)}: {shown}' if labels else 'none'}",
        f"  input     {input_spec}",
        f"  tags      {_tags(version.tags) or 'none'}",
    ]
    if version.problem:
        lines.append(f"  problem   {version.problem}")
    if load:
        lines.append(f"  loaded    {load}")
    lines.append(f"  files     {megabytes(version.bytes)} in {len(version.files)}:")
    width = max((len(file.path) for file in version.files), default=0)
    lines += [f"    {_file(file, width)}" for file in version.files]
    return "\n".join(lines)


def _file(file: StoredFile, width: int) -> str:
    checksum = file.sha256 or "(no SHA-256 recorded)"
    return f"{file.path:<{width}}  {file.bytes:>13,} bytes  {checksum}"
