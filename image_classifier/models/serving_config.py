"""Reads which models and versions are served: TensorFlow Serving's ``model_config_list``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.models.serving_config_schema import MODEL_SERVER_CONFIG
from image_classifier.models.text_proto import Message, parse_text_proto

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
    """Reads a ``model_config_list`` in protobuf's text format, as protobuf reads it.

    ``model_type`` and ``logging_config`` are read, too, and have no effect.

    Args:
        text: the content of the file.
        where: the file, for the error message.
        root: the folder that relative folders in it are relative to.

    Raises:
        ValueError: it is not such a list; the message names file, line, model and field.
    """
    top = parse_text_proto(text, MODEL_SERVER_CONFIG, where=where)
    if "custom_model_config" in top.values:
        raise ValueError(
            f"{where}: custom_model_config is not supported; give a model_config_list."
        )
    model_list = top.values.get("model_config_list", Message(1))
    configs = model_list.values.get("config", [])
    models = tuple(
        _model(config, f"{where}, line {config.line}, config {number}", root)
        for number, config in enumerate(configs, 1)
    )
    check_models(models, where=where)
    return models


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


def _model(config: Message, where: str, root: Path) -> ModelConfig:
    fields = config.values
    if "name" not in fields:
        raise ValueError(f"{where}: name must be there once.")
    where = f"{where} ({fields['name']})"
    if "base_path" not in fields:
        raise ValueError(f"{where}: base_path must be there once.")
    platform = fields.get("model_platform", "")
    if platform not in ("", "tensorflow"):
        raise ValueError(f'{where}: model_platform is {platform!r}; it can only be "tensorflow".')
    labels: dict[str, int] = {}
    for entry in fields.get("version_labels", []):
        if "key" not in entry.values:
            raise ValueError(f"{where}, version_labels: key must be there once.")
        labels[entry.values["key"]] = entry.values.get("value", 0)
    base_path = fields["base_path"]
    if "://" in base_path:
        raise ValueError(
            f"{where}: base_path must be a folder, not an address. Only MODELS_DIR of the "
            "Functions app can be on Blob Storage."
        )
    policy = fields.get("model_version_policy", Message(config.line))
    return ModelConfig(
        fields["name"],
        root / base_path,
        _policy(policy, f"{where}, model_version_policy"),
        labels,
    )


def _policy(policy: Message, where: str) -> VersionPolicy:
    if "all" in policy.values:
        return AllVersions()
    if "specific" in policy.values:
        return Specific(tuple(policy.values["specific"].values.get("versions", [])))
    latest = policy.values.get("latest", Message(policy.line))
    count = latest.values.get("num_versions", 1)
    if count < 1:
        raise ValueError(f"{where}, latest: num_versions is {count}; it must be 1 or more.")
    return Latest(count)
