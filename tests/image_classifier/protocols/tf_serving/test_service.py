"""TensorFlow Serving's protocol below its endpoints: models, versions, names, states, words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from image_classifier import Classifier, Settings
from image_classifier.classifier import APP_ROOT
from image_classifier.models.configured_repository import ConfiguredRepository
from image_classifier.models.repository_watcher import RepositoryWatcher
from image_classifier.models.serving_config import AllVersions, ModelConfig
from image_classifier.protocols.tf_serving.classify_regress import (
    CLASSIFY_METHOD,
    REGRESS_METHOD,
    ClassifyResult,
    InferenceTask,
    RegressResult,
    classify,
    debug_string,
    multi_inference,
    regress,
)
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import (
    ModelSpec,
    TensorFlowServing,
    VersionStatus,
)
from tests.support.saved_models import half_plus_two, many_types

ONE = np.array([[1.0], [2.0]], np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    half_plus_two(root / "half" / "0", add=7.0)
    half_plus_two(root / "half" / "123")
    many_types(root / "types" / "1")
    return root


@pytest.fixture(scope="module")
def serving(models: Path) -> TensorFlowServing:
    """As the Functions app does it: what the newest version is answers, and no other."""
    return TensorFlowServing(Classifier(Settings.from_environ({"MODELS_DIR": str(models)})))


def example(x: float) -> bytes:
    import tensorflow as tf

    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[x]))
    features = tf.train.Features(feature={"x": feature})
    return bytes(tf.train.Example(features=features).SerializeToString())


def refused(call: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        call()
    return caught.value.code, caught.value.message


def test_predict_fills_in_what_was_used(serving: TensorFlowServing) -> None:
    found = serving.predict(ModelSpec("half"), {"x": ONE})

    assert found.spec == ModelSpec("half", 123, "", "serving_default")
    assert found.outputs["y"].tolist() == [[2.5], [3.0]]


def test_tensor_names_are_answered_with_tensor_names(serving: TensorFlowServing) -> None:
    spec = ModelSpec("half", signature_name="two_outputs")

    assert set(serving.predict(spec, {"x:0": ONE}).outputs) == {"y:0", "label:0"}
    assert set(serving.predict(spec, {"x": ONE}).outputs) == {"y", "label_bytes"}
    assert list(serving.predict(spec, {"x": ONE}, ["label:0"]).outputs) == ["label:0"]
    assert list(serving.predict(spec, {"x:0": ONE}, ["label_bytes"]).outputs) == ["label_bytes"]


@pytest.mark.parametrize(
    ("spec", "inputs", "output_filter", "code", "message"),
    [
        (ModelSpec("no"), {}, (), "NOT_FOUND", "Servable not found for request: Latest(no)"),
        (
            ModelSpec("half", 7),
            {},
            (),
            "NOT_FOUND",
            "Servable not found for request: Specific(half, 7)",
        ),
        (
            ModelSpec("half", 0),
            {},
            (),
            "NOT_FOUND",
            "Servable not found for request: Specific(half, 0)",
        ),
        (
            ModelSpec("half", version_label="stable"),
            {},
            (),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: stable",
        ),
        (
            ModelSpec("half", signature_name="s"),
            {},
            (),
            "FAILED_PRECONDITION",
            'Serving signature key "s" not found.',
        ),
        (
            ModelSpec("types", signature_name="two_inputs"),
            {"a": ONE[0]},
            (),
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({a}) != len({a,text}). Sent extra: {}. "
            "Missing but required: {text}.",
        ),
        (
            ModelSpec("half"),
            {"z": ONE},
            (),
            "INVALID_ARGUMENT",
            "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
        ),
        (
            ModelSpec("half"),
            {"x": ONE},
            ("z",),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        (
            ModelSpec("half"),
            {"x": ONE},
            ("y", "y"),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
        (
            ModelSpec("half"),
            {"x": ONE.astype(np.int32)},
            (),
            "INVALID_ARGUMENT",
            "Expects arg[0] to be float but int32 is provided",
        ),
    ],
)
def test_predict_refuses_in_the_words_that_clients_compare(
    serving: TensorFlowServing,
    spec: ModelSpec,
    inputs: dict[str, np.ndarray],
    output_filter: tuple[str, ...],
    code: str,
    message: str,
) -> None:
    assert refused(lambda: serving.predict(spec, inputs, output_filter)) == (Code[code], message)


def test_classify_gives_labels_and_scores(serving: TensorFlowServing) -> None:
    spec = ModelSpec("half", signature_name="classify_x_to_y")
    found = classify(serving, spec, [example(1), example(2)])

    assert found.spec == ModelSpec("half", 123, "", "classify_x_to_y")
    assert found.classifications == [[(b"2.5", 2.5)], [(b"3.0", 3.0)]]


def test_classify_needs_no_method_name_and_no_classes(serving: TensorFlowServing) -> None:
    spec = ModelSpec("half", signature_name="classify_scores")

    assert classify(serving, spec, [example(1)]).classifications == [[(b"", 2.5)]]


def test_regress_gives_numbers(serving: TensorFlowServing) -> None:
    spec = ModelSpec("half", signature_name="regress_x_to_y")

    assert regress(serving, spec, [example(1), example(4)]).values == [2.5, 4.0]


def test_multi_inference_answers_each_task(serving: TensorFlowServing) -> None:
    tasks = [
        InferenceTask(ModelSpec("half", signature_name="regress_x_to_y"), REGRESS_METHOD),
        InferenceTask(ModelSpec("half", signature_name="classify_x_to_y"), CLASSIFY_METHOD),
    ]
    numbers, classes = multi_inference(serving, tasks, [example(1)])

    assert isinstance(numbers, RegressResult) and numbers.values == [2.5]
    assert isinstance(classes, ClassifyResult) and classes.classifications == [[(b"2.5", 2.5)]]


def test_examples_are_refused_in_the_words_that_clients_compare(
    serving: TensorFlowServing,
) -> None:
    one = [example(1)]

    def spec(signature: str) -> ModelSpec:
        return ModelSpec("half", signature_name=signature)

    def task(signature: str, method: str, model: str = "half") -> InferenceTask:
        return InferenceTask(ModelSpec(model, signature_name=signature), method)

    bad = Code.INVALID_ARGUMENT
    assert refused(lambda: classify(serving, spec("s"), one)) == (
        bad,
        "No signature was found with the name: s",
    )
    assert refused(lambda: classify(serving, spec("classify_x_to_y"), [])) == (
        bad,
        "Input is empty.",
    )
    for method in (classify, regress):
        two_inputs = ModelSpec("types", signature_name="two_inputs")
        assert refused(partial(method, serving, two_inputs, one)) == (
            bad,
            "Expected one input Tensor.",
        )
    code, message = refused(lambda: classify(serving, spec("serving_default"), one))
    assert code is Code.FAILED_PRECONDITION
    assert message.startswith("No classification inputs found in SignatureDef: inputs {")
    code, message = refused(lambda: classify(serving, spec("regress_x_to_y"), one))
    assert code is Code.FAILED_PRECONDITION
    assert 'at least one of "classes" or "scores". Signature was: inputs {' in message
    assert refused(lambda: regress(serving, spec("classify_x_to_y"), one)) == (
        bad,
        "Expected one output Tensor.",
    )
    same = [task("regress_x_to_y", REGRESS_METHOD)] * 2
    assert refused(lambda: multi_inference(serving, same, one)) == (
        bad,
        "Duplicate evaluation of signature: regress_x_to_y",
    )
    assert refused(lambda: multi_inference(serving, [task("regress_x_to_y", "x")], one)) == (
        Code.UNIMPLEMENTED,
        "Unsupported signature method_name: x",
    )
    others = [*same[:1], task("classify_x_to_y", CLASSIFY_METHOD, "types")]
    assert refused(lambda: multi_inference(serving, others, one))[1].startswith("All ModelSpecs")


def test_a_signature_in_an_error_looks_as_protobuf_prints_it(serving: TensorFlowServing) -> None:
    from google.protobuf import text_format
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    for name in ("half", "types"):
        for signature in serving.find(ModelSpec(name)).signatures.values():
            printed = debug_string(signature)
            parsed = text_format.Parse(printed, SignatureDef())
            assert text_format.MessageToString(parsed) == printed


def test_the_status_lists_what_is_served(serving: TensorFlowServing) -> None:
    assert serving.status(ModelSpec("half")) == [VersionStatus(123, "AVAILABLE")]
    assert refused(lambda: serving.status(ModelSpec("no"))) == (
        Code.NOT_FOUND,
        "Could not find any versions of model no",
    )
    assert refused(lambda: serving.status(ModelSpec("half", 7))) == (
        Code.NOT_FOUND,
        "Could not find version 7 of model half",
    )


def test_metadata_has_every_signature_and_the_version(serving: TensorFlowServing) -> None:
    spec, signatures = serving.metadata(ModelSpec("half"))

    assert spec == ModelSpec("half", 123)
    assert set(signatures) >= {"serving_default", "regress_x_to_y"}


def test_labels_stand_for_versions_that_are_served(models: Path) -> None:
    config = ModelConfig("half", models / "half", AllVersions(), {"old": 0, "new": 123, "off": 9})
    settings = Settings.from_environ({})
    repository = ConfiguredRepository(settings, app_root=APP_ROOT, models=[config])
    classifier = Classifier(settings, repository=repository)
    watcher = RepositoryWatcher(repository, poll_seconds=0)
    watcher.start([config])
    serving = TensorFlowServing(classifier)
    lenient = TensorFlowServing(classifier, allow_unavailable_labels=True)

    assert serving.predict(ModelSpec("half", version_label="old"), {"x": ONE}).spec.version == 0
    assert serving.predict(ModelSpec("half", version_label="new"), {"x": ONE}).spec.version == 123
    assert refused(lambda: serving.find(ModelSpec("half", version_label="off"))) == (
        Code.INVALID_ARGUMENT,
        "Unrecognized servable version label: off",
    )
    assert refused(lambda: lenient.find(ModelSpec("half", version_label="off"))) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(half, 9)",
    )


def test_a_version_that_cannot_be_loaded_is_not_found_and_its_status_says_why(
    models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "half" / "123", tmp_path / "half" / "1")
    (tmp_path / "half" / "1" / "saved_model.pb").write_bytes(b"damaged")
    serving = TensorFlowServing(Classifier(Settings.from_environ({"MODELS_DIR": str(tmp_path)})))

    assert refused(lambda: serving.find(ModelSpec("half"))) == (
        Code.NOT_FOUND,
        "Servable not found for request: Latest(half)",
    )
    (status,) = serving.status(ModelSpec("half"))
    assert (status.version, status.state, status.error_code) == (1, "END", Code.INVALID_ARGUMENT)
    assert "is not a SavedModel" in status.error_message


def test_an_empty_name_means_the_default_model(models: Path) -> None:
    environ = {"MODELS_DIR": str(models), "DEFAULT_MODEL": "half"}
    serving = TensorFlowServing(Classifier(Settings.from_environ(environ)))

    assert serving.predict(ModelSpec(), {"x": ONE}).spec.name == "half"
