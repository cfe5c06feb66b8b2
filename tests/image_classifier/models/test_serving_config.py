"""TensorFlow Serving's configuration file is read as protobuf reads it, and refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_classifier import Classifier, Settings
from image_classifier.errors import SettingsError
from image_classifier.models.serving_config import (
    AllVersions,
    Latest,
    ModelConfig,
    Specific,
    read_model_config,
)
from tests.support.builders import model_folder

ROOT = Path("/root")


def read(text: str) -> tuple[ModelConfig, ...]:
    return read_model_config(text, where="models.config", root=ROOT)


def one(inside: str) -> ModelConfig:
    (model,) = read(f"model_config_list {{ config {{ {inside} }} }}")
    return model


def test_a_file_as_the_documentation_shows_it() -> None:
    text = """
    # comments are left out
    model_config_list: {
      config {
        name: 'm'
        base_path: "/models/" 'm'  # two strings side by side are one
        model_platform: 'tensorflow'
        model_version_policy { specific { versions: 42, versions: 43; } }
        version_labels { key: 'stable' value: 42 }
        version_labels < key: "canary", value: 43 >
        logging_config { log_collector_config { type: "x" } }
      }
      config { name: "n" base_path: "n" }
    }
    """
    assert read(text) == (
        ModelConfig("m", Path("/models/m"), Specific((42, 43)), {"stable": 42, "canary": 43}),
        ModelConfig("n", ROOT / "n"),
    )
    assert read("") == ()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Latest(1)),
        ("model_version_policy {}", Latest(1)),
        ("model_version_policy { latest {} }", Latest(1)),
        ("model_version_policy { latest { num_versions: 3 } }", Latest(3)),
        ("model_version_policy: { all: {} }", AllVersions()),
        ("model_version_policy { specific { versions: [1, 0x10] } }", Specific((1, 16))),
    ],
)
def test_policies(text: str, policy: object) -> None:
    assert one(f"name: 'm' base_path: 'm' {text}").policy == policy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list {", r"line 1: the name of a field or } should stand where the end"),
        (
            "model_config_list {\n config { name 'm' } }",
            "line 2: a colon should stand where 'm' is",
        ),
        ("model_config_list { config { name: } }", "line 1: name must be a string, not }"),
        ("models {}", "unknown field models; known are: model_config_list"),
        ("model_config_list: 3", "line 1: model_config_list: it should be { … }, not 3"),
        (
            "model_config_list { config { nam: 'm' } }",
            "line 1: unknown field nam; known are: name, ",
        ),
        (
            "model_config_list { config { base_path: 'm' } }",
            "line 1, config 1: name must be there once",
        ),
        ("model_config_list { config { name: 'm' } }", r"\(m\): base_path must be there once"),
        (
            "model_config_list { config { name: m base_path: 'm' } }",
            "line 1: name must be a string, not m",
        ),
        ("model_config_list { config { name: '' base_path: 'm' } }", "each model needs a name"),
        ("model_config_list { config { name: 'm' base_path: '\\0' } }", "has a NUL character"),
        ("\n\n@", "line 3: the name of a field or the end of the file should stand where @"),
        (
            "model_config_list { config { name: 'm",
            "line 1: name is no string of UTF-8: its closing quote",
        ),
    ],
)
def test_faults_name_file_line_and_field(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^models.config.*{words}"):
        read(text)


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("model_platform: 'caffe'", 'can only be "tensorflow"'),
        (
            "model_version_policy { latest {} all {} }",
            "line 1: give one of latest, all, specific, not both latest and all",
        ),
        ("model_version_policy { latest { num_versions: 0 } }", "it must be 1 or more"),
        ("model_version_policy { specific {} }", "name at least one version"),
        ("model_version_policy { specific { versions: -3 } }", "none is below 0"),
        (
            "model_version_policy { specific { versions: 'a' } }",
            "versions must be a whole number of 64 bits, not 'a'",
        ),
        ("version_labels { key: 'a-b' value: 1 }", "may have letters, digits and _ only"),
        ("version_labels { value: 1 }", "key must be there once"),
    ],
)
def test_values_that_cannot_be_used_are_refused(inside: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        one(f"name: 'm' base_path: 'm' {inside}")


def test_an_address_is_no_base_path() -> None:
    with pytest.raises(ValueError, match="must be a folder, not an address"):
        one("name: 'm' base_path: 'azure://models/m'")


def test_a_model_cannot_be_listed_twice() -> None:
    config = "config { name: 'm' base_path: 'm' }"
    with pytest.raises(ValueError, match="the model 'm' is listed twice"):
        read(f"model_config_list {{ {config} {config} }}")


NAMES = st.text(min_size=1, max_size=8).filter(lambda text: "\0" not in text)
NUMBERS = st.integers(0, 2**63 - 1)


@settings(max_examples=60, deadline=None)
@given(
    NAMES,
    st.one_of(
        st.builds(Latest, st.integers(1, 2**32 - 1)),
        st.just(AllVersions()),
        st.builds(Specific, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    ),
    st.dictionaries(st.from_regex(r"[a-zA-Z0-9_]{1,5}", fullmatch=True), NUMBERS, max_size=3),
    st.booleans(),
)
def test_what_protobuf_writes_is_read(
    name: str, policy: Any, labels: dict[str, int], one_line: bool
) -> None:
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    message = ModelServerConfig()
    config = message.model_config_list.config.add(name=name, base_path=f"/x/{name.lstrip('/')}")
    config.version_labels.update(labels)
    chosen = config.model_version_policy
    match policy:
        case Latest(count):
            chosen.latest.num_versions = count
        case AllVersions():
            chosen.all.SetInParent()
        case Specific(versions):
            chosen.specific.versions.extend(versions)
    text = text_format.MessageToString(message, as_one_line=one_line)

    assert read(text) == (ModelConfig(name, Path(config.base_path), policy, labels),)


def test_the_app_reads_the_file_that_its_setting_names(tmp_path: Path, colours_onnx: bytes) -> None:
    for version in (1, 2):
        model_folder(tmp_path / "elsewhere", "pets", version, onnx=colours_onnx)
    model_folder(tmp_path / "models", "digits", 1, onnx=colours_onnx)
    (tmp_path / "models.config").write_text(
        "model_config_list { config { name: 'pets' base_path: 'elsewhere/pets' "
        "model_version_policy { specific { versions: 1 } } "
        "version_labels { key: 'stable' value: 1 } } }"
    )
    environ = {"MODEL_CONFIG_FILE": "models.config"}
    repository = Classifier(Settings.from_environ(environ), app_root=tmp_path).repository

    assert repository.names() == ["digits", "pets"]
    assert repository.load("pets").version == 1
    assert repository.served("pets").labels == {"stable": 1}
    assert repository.load().name == "digits"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file"),
        ("models {}", "models.config, line 1: unknown field models"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_app_at_start(
    tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / "models.config").write_text(text)
    environ = {"MODEL_CONFIG_FILE": "models.config"}

    with pytest.raises(SettingsError, match=f"MODEL_CONFIG_FILE.*{words}"):
        Classifier(Settings.from_environ(environ), app_root=tmp_path)
