"""Small function apps, written to a folder for the tests of the local host."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

RETURN = {"type": "http", "direction": "out", "name": "$return"}


def write_app(root: Path, host_json: dict[str, Any] | None = None) -> Path:
    """Makes the root of an app, without functions."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "host.json").write_text(json.dumps({"version": "2.0", **(host_json or {})}), "utf-8")
    return root


def write_function(
    root: Path,
    name: str,
    source: str,
    *,
    bindings: list[dict[str, Any]] | None = None,
    config: dict[str, Any] | None = None,
    **trigger: Any,
) -> Path:
    """Makes one function folder: an HTTP function, unless ``bindings`` says otherwise."""
    http = {"type": "httpTrigger", "direction": "in", "name": "req", **trigger}
    folder = root / name
    folder.mkdir()
    (folder / "function.json").write_text(
        json.dumps(
            {"bindings": [http, RETURN] if bindings is None else bindings, **(config or {})}
        ),
        "utf-8",
    )
    (folder / "__init__.py").write_text(
        "import asyncio, json, logging, os, sys, time\n"
        "import azure.functions as func\n" + dedent(source),
        "utf-8",
    )
    return folder
