"""Implements the verbs of ``python -m tools.models`` on a registry."""

from __future__ import annotations

import argparse
import json
import sys

from image_classifier import Settings
from image_classifier.errors import ClassifierError
from image_classifier.model_files.labels import LABELS_FILE
from image_classifier.model_files.names import VERSION
from image_classifier.models.repository import DEMO_MODEL
from image_classifier.stores.base import ModelStore
from image_classifier.stores.factory import open_store
from image_classifier.stores.folder_store import FolderStore
from tools.models.candidate import gather, try_out
from tools.models.folder_registry import FolderRegistry
from tools.models.output import as_details, as_json, as_table, megabytes
from tools.models.registry import Registry, Version, changed_tags, check_name, check_version
from tools.models.server_status import servers_of
from tools.shared.errors import ToolError

__all__ = ["convert", "delete", "fetch", "find", "list_models", "register", "show", "tag"]


def register(registry: Registry, args: argparse.Namespace) -> int:
    """Registers a model as a new version."""
    check_name(args.name)
    check_version(args.version)
    tags = changed_tags({}, args.tag)
    with gather(args.source) as folder:
        if not args.no_check:
            loaded = try_out(folder, args.name)
            kind = f"{len(loaded.labels)} labels" if loaded.labels else "no image classifier"
            print(f"It loads with {loaded.engine_name}: {kind}.", flush=True)
        version = registry.register(folder, name=args.name, version=args.version, tags=tags)
    print(f"Registered {version} ({megabytes(version.bytes)}) in {registry.where}.")
    higher = [other.number for other in registry.versions(version.name)][0]
    if higher > version.number:
        print(f"Version {higher} is higher, so it is the one that answers.")
    return 0


def list_models(registry: Registry, args: argparse.Namespace) -> int:
    """Prints all models and versions, or those of one model."""
    names = registry.names() if args.name is None else [args.name]
    models = {name: registry.versions(name) for name in names}
    if args.name is not None and not models[args.name]:
        raise _no_model(registry, args.name)
    tags = {name: registry.model_tags(name) for name in names}
    if args.json:
        listed = [
            {
                "name": name,
                "tags": dict(sorted(tags[name].items())),
                "versions": [as_json(version) for version in versions],
            }
            for name, versions in models.items()
        ]
        print(json.dumps({"registry": registry.where, "models": listed}, indent=2))
    elif models:
        print(as_table(models, tags))
    else:
        print(f"There is no model in {registry.where}. Put one there: python -m tools.models")
        print("register FOLDER --name NAME")
    return 0


def show(registry: Registry, args: argparse.Namespace) -> int:
    """Prints one version in detail."""
    version = registry.with_checksums(find(registry, args.version))
    labels = (registry.read(version, LABELS_FILE) or b"").decode("utf-8-sig", "replace").split("\n")
    labels = [label.strip() for label in labels if label.strip()]
    input_spec = _input_spec(registry, version)
    loaded = None
    if args.load:
        with registry.working_copy(version) as folder:
            model = try_out(folder, version.name)
        loaded = f"yes, with {model.engine_name}; signatures: {', '.join(model.signatures)}"
        if model.image_engine is not None:
            input_spec = json.dumps(model.engine.input_spec.as_dict())
        else:
            input_spec = "none: served through its signatures only"
    if args.json:
        details = as_json(version) | {"registry": registry.where, "labels": labels}
        details |= {"input_spec": input_spec, "loaded": loaded}
        print(json.dumps(details, indent=2, ensure_ascii=False))
    else:
        shown = as_details(
            version, where=registry.where, labels=labels, input_spec=input_spec, load=loaded
        )
        print(shown)
    return 0


def _input_spec(registry: Registry, version: Version) -> str:
    text = registry.read(version, "model.json")
    if text is None:
        return "said by the graph itself; --load reads it"
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return "model.json is not JSON"


def convert(registry: Registry, args: argparse.Namespace) -> int:
    """Adds a model.onnx to a version."""
    from tools.convert.conversion import SAMPLES, convert_folder

    version = find(registry, args.version)
    if "onnx" in version.engines and not args.again:
        raise ToolError(f"{version} has a model.onnx already: say --again to make it anew.")
    with registry.working_copy(version) as folder:
        try:
            convert_folder(folder, image_folder=args.images or SAMPLES, int8=args.int8)
        except ClassifierError as exc:
            raise ToolError(f"{version} was not converted: {exc.message}") from exc
    print(f"{version} in {registry.where} has a model.onnx now. Apps take it when they load it.")
    return 0


def fetch(registry: Registry, args: argparse.Namespace) -> int:
    """Downloads a version into the cache of the app and prints its folder."""
    version = find(registry, args.version)
    place: ModelStore
    if isinstance(registry, FolderRegistry):  # its root resolves relative folders
        place = FolderStore(registry.root.absolute())
    else:
        settings = Settings.from_environ({**args.settings, "MODELS_DIR": args.place})
        place = open_store(settings, args.root)
    folder = place.versions(version.name).get(version.number)
    if folder is None:
        why = version.problem or place.error() or "it is gone"
        raise ToolError(f"{version} is not ready: {why.rstrip('.')}.")
    if origin := place.origin(folder):
        origin.fetch(check=True)
    print(folder)
    return 0


def tag(registry: Registry, args: argparse.Namespace) -> int:
    """Changes and prints the tags of a model or a version."""
    name, _, number = args.model.partition("/")
    version = find(registry, args.model) if number else None
    if version is None and not registry.versions(name):
        raise _no_model(registry, name)
    before = registry.model_tags(name) if version is None else version.tags
    after = changed_tags(before, args.tags, args.remove)
    if after != before:
        registry.set_tags(name, version.number if version else None, after)
    shown = " ".join(f"{key}={value}" for key, value in sorted(after.items())) or "no tags"
    print(f"{version or name}: {shown}")
    return 0


def delete(registry: Registry, args: argparse.Namespace) -> int:
    """Deletes a version, unless a server uses it."""
    version = find(registry, args.version, exact=True)
    others = [each.number for each in registry.versions(version.name)]
    others.remove(version.number)
    if not args.force:
        if servers := servers_of(version, args.app, key=args.key):
            raise ToolError(
                f"{version} is served by {' and '.join(servers)}. Register a higher version first, "
                "or stop that server; --force deletes it all the same."
            )
        if not others and version.name == (args.default_model or DEMO_MODEL):
            raise ToolError(
                f"{version} is the only version of the app's default model: without it, callers "
                "that name no model get an error. --force deletes it all the same."
            )
    if not args.yes and not _agreed(version, others, registry.where):
        print("Nothing was deleted.")
        return 1
    registry.delete(version)
    print(f"Deleted {version}.")
    return 0


def _agreed(version: Version, others: list[int], where: str) -> bool:
    if not sys.stdin.isatty():
        raise ToolError("Nobody is there to be asked: say --yes to delete without a question.")
    if not others:
        after = "It is the only version: the model will be gone"
    elif version.number > others[0]:
        after = f"Version {others[0]} will answer instead"
    else:
        after = f"Version {others[0]} goes on answering"
    print(f"{version} ({megabytes(version.bytes)}) in {where}. {after}; this cannot be undone.")
    try:
        return input("Delete it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl+D
        print()
        return False


def find(registry: Registry, text: str, *, exact: bool = False) -> Version:
    """Finds the version ``NAME/VERSION``, or the highest version of ``NAME``.

    Args:
        registry: the registry.
        text: from the command line.
        exact: refuses a name without a version.

    Raises:
        ToolError: there is no such model or version; the message lists the existing ones.
    """
    name, slash, number = text.partition("/")
    versions = registry.versions(name)
    if not versions:
        raise _no_model(registry, name)
    listed = ", ".join(str(version.number) for version in versions)
    if not slash and exact:
        raise ToolError(f"Say which version, as in {versions[-1]}; there are: {listed}.")
    if not slash:
        return versions[0]
    is_number = VERSION.fullmatch(number)
    matches = [each for each in versions if is_number and each.number == int(number)]
    if not matches:
        raise ToolError(f"{name} has no version {number[:40]!r}; there are: {listed}.")
    return matches[0]


def _no_model(registry: Registry, name: str) -> ToolError:
    names = ", ".join(registry.names()) or "none"
    return ToolError(f"There is no model {name!r} in {registry.where}; there are: {names}.")
