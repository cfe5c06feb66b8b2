"""Lays sys.path as Azure's classic Python worker does, then calls functions of the app.

Written after Azure/azure-functions-python-worker 4.40 (`python/prodV4/worker.py`, `main.py`,
`dispatcher.py`, `utils/dependency.py`), with its steps in its order: what it imports when it
starts, what its first two messages from the host do to sys.path and to sys.modules, with and
without PYTHON_ISOLATE_WORKER_DEPENDENCIES. Left out are gRPC, the host and the loader of functions.

The newest worker on PyPI is 1.1.9 of 2020, from before that setting. From mid 2026 on Microsoft's
repository gives the worker a protobuf under a name of its own, which ends the clash; which images
have that cannot be told from here.

Reads JSON from standard input: `calls`, a list of `{"function", "method", "url", "headers",
"body"}`; and, for an instance that waited for an app, `specialise`: `{"from", "to", "settings"}`,
the folder that becomes the app's, and its app settings. Writes a JSON object to standard output.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import sys
from types import ModuleType
from typing import Any

SETTING = "PYTHON_ISOLATE_WORKER_DEPENDENCIES"
SCRIPT_ROOT = "AzureWebJobsScriptRoot"
PLACEHOLDER = "WEBSITE_PLACEHOLDER_MODE"
WORKER_FOLDER = re.compile(r".*python/\d+\.\d+/(WINDOWS|LINUX|OSX).*")


def is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "t", "yes", "y")


def forget(path: str) -> None:
    """Drops what was imported from there, so that a later import looks for it anew."""
    if not path:
        return
    sys.path_importer_cache.pop(path, None)
    for name, module in list(sys.modules.items()):
        if name.startswith("azure_functions_worker") or not isinstance(module, ModuleType):
            continue
        try:
            places = [*(getattr(module, "__path__", None) or []), getattr(module, "__file__", None)]
            if any(place and place.startswith(path) for place in places):
                del sys.modules[name]
        except Exception as exc:  # as the worker: part of a namespace whose parent has gone
            print(f"Unable to forget {name}: {exc}", file=sys.stderr)


def add(path: str, *, first: bool) -> None:
    if path and path not in sys.path:
        sys.path.insert(0 if first else len(sys.path), path)
        forget(path)


def remove(path: str) -> None:
    if path:
        sys.path[:] = [each for each in sys.path if each != path]
        forget(path)


class Paths:
    """Where the worker finds its own packages and the app's, as seen when it starts."""

    def __init__(self) -> None:
        root = os.environ.get(SCRIPT_ROOT, "")
        app = [path for path in sys.path if root and path.startswith(root)]
        self.root = root
        self.worker = next(path for path in sys.path if WORKER_FOLDER.match(path))
        self.packages = next((path for path in app if "site-packages" in path), "")

    def put_worker_first(self) -> None:
        if is_on(SETTING):
            remove(self.packages)
            remove(self.root)
            add(self.worker, first=True)

    def put_app_first(self, root: str = "") -> None:
        if is_on(SETTING):
            remove(self.worker)
            add(self.packages, first=True)
            add(self.worker, first=False)
            add(root or self.root, first=False)


def import_own() -> None:
    """What the worker's messages, which protobuf's compiler wrote, import when it starts."""
    for name in ("descriptor", "descriptor_pool", "symbol_database", "internal.builder"):
        importlib.import_module(f"google.protobuf.{name}")
    importlib.import_module("google.protobuf.duration_pb2")


def reload_environment(paths: Paths, order: dict[str, Any]) -> None:
    """The app arrives, with its settings: what turns an instance that waited into the app's."""
    os.rename(order["from"], order["to"])
    sys.path.append(order["to"])
    sys.path_importer_cache.clear()
    os.environ.clear()
    os.environ.update(order["settings"])
    if is_on(SETTING):
        paths.put_app_first(order["to"])
    else:
        for name in ("azure", "google", "azure.functions"):
            try:
                importlib.reload(sys.modules[name])
            except Exception as exc:  # as the worker: it warns and goes on
                print(f"Unable to reload {name}: {exc}", file=sys.stderr)
    importlib.import_module("azure.functions")
    os.chdir(order["to"])


def call(order: dict[str, Any]) -> dict[str, Any]:
    func = importlib.import_module("azure.functions")
    request = func.HttpRequest(
        method=order["method"],
        url=order["url"],
        headers=order.get("headers", {}),
        body=base64.b64decode(order.get("body", "")),
    )
    answer = importlib.import_module(order["function"]).main(request)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {
        "status": answer.status_code,
        "engine": headers.get("x-engine"),
        "body": json.loads(answer.get_body()),
    }


def protobuf() -> str:
    return str(importlib.import_module("google.protobuf").__version__)


def main() -> None:
    orders = json.load(sys.stdin)
    paths = Paths()
    paths.put_worker_first()
    import_own()
    started_with = protobuf()
    if not is_on(PLACEHOLDER):
        paths.put_app_first()
    importlib.import_module("azure.functions")
    if "specialise" in orders:
        reload_environment(paths, orders["specialise"])
    answers = [call(order) for order in orders["calls"]]
    said = {"started with": started_with, "ended with": protobuf(), "answers": answers}
    json.dump({**said, "worker": paths.worker}, sys.stdout)


if __name__ == "__main__":
    main()
