"""Parses the command line of the registry of models and runs one verb."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from image_classifier.errors import ClassifierError, SettingsError
from image_classifier.stores.storage_errors import StorageError
from local_host.configuration.local_settings import LocalSettings
from local_host.errors import HostError
from tools.models import commands
from tools.models.factory import open_registry
from tools.shared.command import NO_PARTIAL_OUTPUT, run_command
from tools.shared.errors import ToolError
from tools.shared.signals import INTERRUPTED

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Returns 0, or 1 with a sentence on standard error; 130 after Ctrl+C or SIGTERM."""
    args = _parser().parse_args(argv)
    return run_command(
        lambda: _run(args, root),
        errors=(ToolError, ClassifierError, HostError, SettingsError, StorageError),
        stopped=f"\n{NO_PARTIAL_OUTPUT}",
        terminated=INTERRUPTED,
    )


def _run(args: argparse.Namespace, root: Path) -> int:
    run: Callable[[object, argparse.Namespace], int] = args.run
    settings = args.settings = _settings(root)
    args.root, args.place = root, args.models_dir or settings.get("MODELS_DIR", "")
    args.key = settings.get("API_KEYS", "").partition(",")[0].strip() or None
    args.default_model = settings.get("DEFAULT_MODEL", "").strip()
    return run(open_registry(args.models_dir, settings, root=root), args)


def _settings(root: Path) -> Mapping[str, str]:
    """Reads the app settings: the environment takes precedence over local.settings.json."""
    environ = {name: value for name, value in os.environ.items() if value.strip()}
    return {**LocalSettings.read(root).added_to(environ), **environ}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.models",
        description="The registry of models: on disk, or on Azure Blob Storage.",
        epilog="Without --models-dir it is the setting MODELS_DIR, from the environment or "
        "local.settings.json. VERSION is NAME/NUMBER; NAME alone is its highest version.",
    )
    parser.add_argument(
        "--models-dir",
        metavar="WHERE",
        help="a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], or "
        "azure://CONTAINER[/PREFIX] in the account of AzureWebJobsStorage",
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    verb = verbs.add_parser("list", help="list every model and version")
    verb.add_argument("name", nargs="?", help="only this model")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(run=commands.list_models)

    verb = verbs.add_parser("show", help="show one version in detail")
    verb.add_argument("version", metavar="VERSION")
    verb.add_argument("--load", action="store_true", help="load it, and show the input it takes")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(run=commands.show)

    verb = verbs.add_parser("register", help="add a model as a new version")
    verb.add_argument(
        "source",
        type=Path,
        metavar="FOLDER|FILE",
        help="a folder, a .zip of a Custom Vision export, or an .onnx or .pb beside its labels.txt",
    )
    verb.add_argument("--name", required=True)
    verb.add_argument("--version", type=int, help="default: the next free number")
    verb.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE")
    verb.add_argument("--no-check", action="store_true", help="do not load it first")
    verb.set_defaults(run=commands.register)

    verb = verbs.add_parser("convert", help="add a model.onnx with equal scores")
    verb.add_argument("version", metavar="VERSION")
    verb.add_argument("--int8", action="store_true", help="8-bit weights and activations")
    verb.add_argument("--images", type=Path, help="images to compare both on")
    verb.add_argument("--again", action="store_true", help="replace a model.onnx")
    verb.set_defaults(run=commands.convert)

    verb = verbs.add_parser("fetch", help="download a version before an app needs it")
    verb.add_argument("version", metavar="VERSION")
    verb.set_defaults(run=commands.fetch)

    verb = verbs.add_parser("tag", help="describe a model or a version by tags")
    verb.add_argument("model", metavar="NAME[/NUMBER]")
    verb.add_argument("tags", nargs="*", metavar="KEY=VALUE", help="without any: show the tags")
    verb.add_argument("--remove", action="append", default=[], metavar="KEY")
    verb.set_defaults(run=commands.tag)

    verb = verbs.add_parser("delete", help="remove a version that no server uses")
    verb.add_argument("version", metavar="NAME/NUMBER")
    verb.add_argument(
        "--app",
        action="append",
        metavar="URL",
        help="a server that may serve the version, which must answer (default: localhost, ports "
        "7071 and 8501, if a server is there)",
    )
    verb.add_argument("--yes", action="store_true", help="do not ask")
    verb.add_argument("--force", action="store_true", help="even if it is served")
    verb.set_defaults(run=commands.delete)
    return parser


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(main())
