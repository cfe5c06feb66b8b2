"""Which models and versions are served: TensorFlow Serving's ``model_config_list``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_classifier.models.text_proto import parse_text_proto

__all__ = [
    "AllVersions",
    "Latest",
    "ModelConfig",
    "Specific",
    "VersionPolicy",
    "check_models",
    "read_model_config",
]

# As in TensorFlow Serving.
_LABEL = re.compile(r"[a-zA-Z0-9_]+")
# What TensorFlow Serving has besides, and which changes nothing here.
_WITHOUT_EFFECT = frozenset({"model_platform", "model_type", "logging_config"})
_POLICIES = ("latest", "all", "specific")


@dataclass(frozen=True)
class Latest:
    """The versions with the highest numbers.

    Attributes:
        count: how many, 1 or more.
    """

    count: int = 1

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(present, reverse=True)[: self.count]


@dataclass(frozen=True)
class AllVersions:
    """Every version that is there."""

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(present, reverse=True)


@dataclass(frozen=True)
class Specific:
    """The versions named, those of them that are there.

    Attributes:
        versions: their numbers.
    """

    versions: tuple[int, ...]

    def choose(self, present: Collection[int]) -> list[int]:
        """The versions to serve, highest first."""
        return sorted(set(present) & set(self.versions), reverse=True)


VersionPolicy = Latest | AllVersions | Specific


@dataclass(frozen=True)
class ModelConfig:
    """One model that is served.

    Attributes:
        name: what callers call it.
        base_path: the folder with its version folders.
        policy: which of them are served.
        labels: version labels, such as ``{"stable": 42}``.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = Latest()
    labels: Mapping[str, int] = field(default_factory=dict)


def read_model_config(text: str, *, where: str, root: Path) -> tuple[ModelConfig, ...]:
    """Reads a ``model_config_list`` in protobuf's text format.

    Args:
        text: what the file says.
        where: the file, for the error message.
        root: what relative folders in it are relative to.

    Raises:
        ValueError: it is not such a list; the message names file, model and field.
    """
    top = parse_text_proto(text, where=where)
    _check_fields(top, {"model_config_list"}, where)
    models = []
    for listed in top.get("model_config_list", []):
        _check_fields(listed, {"config"}, f"{where}, model_config_list")
        for number, fields in enumerate(listed.get("config", []), 1):
            models.append(_model(fields, f"{where}, config {number}", root))
    check_models(models, where=where)
    return tuple(models)


def check_models(models: Sequence[ModelConfig], *, where: str) -> None:
    """Refuses what cannot be served whatever is on disk.

    Raises:
        ValueError: a name or a folder is missing, a name is used twice, a label is none, or a
            policy cannot choose a version.
    """
    seen: set[str] = set()
    for model in models:
        if not model.name or not str(model.base_path) or model.base_path == Path():
            raise ValueError(f"{where}: each model needs a name and a base_path.")
        if "\0" in str(model.base_path):  # no system call takes it
            raise ValueError(f"{where} ({model.name}): base_path has a NUL character.")
        if model.name in seen:
            raise ValueError(f"{where}: the model {model.name!r} is listed twice.")
        seen.add(model.name)
        if isinstance(model.policy, Specific) and min(model.policy.versions, default=-1) < 0:
            raise ValueError(
                f"{where} ({model.name}), specific: name at least one version, as in "
                "versions: 42; none is below 0."
            )
        for label in model.labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(
                    f"{where}: the version label {label!r} may have letters, digits and _ only."
                )


def _model(fields: Any, where: str, root: Path) -> ModelConfig:
    _check_fields(
        fields,
        {"name", "base_path", "model_version_policy", "version_labels", *_WITHOUT_EFFECT},
        where,
    )
    name = _one(fields, "name", str, where)
    where = f"{where} ({name})"
    platform = _one(fields, "model_platform", str, where, "tensorflow")
    if platform not in ("", "tensorflow"):
        raise ValueError(f'{where}: model_platform is {platform!r}; it can only be "tensorflow".')
    labels = {}
    for entry in fields.get("version_labels", []):
        _check_fields(entry, {"key", "value"}, f"{where}, version_labels")
        key = _one(entry, "key", str, f"{where}, version_labels")
        labels[key] = _one(entry, "value", int, f"{where}, version_labels", 0)
    base_path = _one(fields, "base_path", str, where)
    if "://" in base_path:
        raise ValueError(
            f"{where}: base_path must be a folder, not an address. Only MODELS_DIR of the "
            "Functions app can be on Blob Storage."
        )
    policy = _one(fields, "model_version_policy", dict, where, {})
    return ModelConfig(
        name,
        root / base_path,
        _policy(policy, f"{where}, model_version_policy"),
        labels,
    )


def _policy(fields: Any, where: str) -> VersionPolicy:
    _check_fields(fields, set(_POLICIES), where)
    if len(fields) > 1:
        raise ValueError(f"{where}: give one of {', '.join(_POLICIES)}, not {len(fields)}.")
    if "all" in fields:
        _check_fields(_one(fields, "all", dict, where), set(), f"{where}, all")
        return AllVersions()
    if "specific" in fields:
        specific = _one(fields, "specific", dict, where)
        _check_fields(specific, {"versions"}, f"{where}, specific")
        versions = specific.get("versions", [])
        if not all(type(each) is int for each in versions):
            raise ValueError(f"{where}, specific: versions are whole numbers, as in versions: 42.")
        return Specific(tuple(versions))
    latest = _one(fields, "latest", dict, where, {})
    _check_fields(latest, {"num_versions"}, f"{where}, latest")
    count = _one(latest, "num_versions", int, f"{where}, latest", 1)
    if count < 1:
        raise ValueError(f"{where}, latest: num_versions is {count}; it must be 1 or more.")
    return Latest(count)


def _check_fields(fields: Any, known: set[str], where: str) -> None:
    if not isinstance(fields, dict):
        raise ValueError(f"{where}: it should be {{ … }}, not {fields!r}.")
    if unknown := sorted(set(fields) - known):
        listed = ", ".join(sorted(known)) or "none"
        raise ValueError(f"{where}: unknown field {unknown[0]}; known are: {listed}.")


def _one(
    fields: dict[str, list[Any]], name: str, kind: type, where: str, default: Any = None
) -> Any:
    values = fields.get(name, [])
    if not values and default is not None:
        return default
    if len(values) != 1 or type(values[0]) is not kind:
        words = {str: "one string", int: "one whole number", dict: "one { … }"}
        raise ValueError(f"{where}: {name} must be there once and be {words[kind]}.")
    return values[0]
