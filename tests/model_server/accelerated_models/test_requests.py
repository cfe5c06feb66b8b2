"""The clients of Azure ML's accelerated models, unchanged: which model, signature and names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks.baselines.accelerated_models_client import old_client
from image_classifier import Classifier, Settings
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from image_classifier.protocols.tf_serving.service import ModelSpec, TensorFlowServing
from model_server.accelerated_models.requests import predict_for_accelerated
from tests.support.model_servers import ModelServer, fill_spec, tls_config
from tests.support.servers import free_port

pytest.importorskip("azureml", reason="azureml-accel-models, the old client, is not installed")

ROOT = Path(__file__).resolve().parents[3]
DIGITS_DIR = ROOT / "models" / "digits"
DIGITS = ("--model_name=digits", f"--model_base_path={DIGITS_DIR}")
NINE = ROOT / "frontend" / "samples" / "nine.png"


@pytest.fixture(scope="module")
def digits() -> Iterator[ModelServer]:
    with ModelServer(*DIGITS, rest=False) as running:
        yield running


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the old client would have slept before it tried again."""
    taken: list[float] = []
    monkeypatch.setattr(old_client(), "time", SimpleNamespace(sleep=taken.append))
    return taken


def old(server: ModelServer, **more: Any) -> Any:
    return old_client().PredictionClient("127.0.0.1", server.port, **more)


def image_file(folder: Path, colour: str) -> str:
    from PIL import Image

    path = folder / f"{colour}.png"
    Image.new("RGB", (4, 3), colour).save(path)
    return str(path)


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code().name, error.details()


def signatures_of_digits(server: ModelServer) -> Any:
    answer = server.get("/v1/models/digits/metadata").json()
    return answer["metadata"]["signature_def"]["signature_def"]


@pytest.mark.tensorflow
def test_score_file_gives_the_scores_of_the_default_model(digits: ModelServer) -> None:
    client = old(digits)
    scores = client.score_file(str(NINE))

    assert scores.shape == (10,)
    assert scores.argmax() == 9
    assert scores.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("input_name", "outputs"),
    [
        ("images", "{graph}"),
        ("Placeholder:0", "{graph}"),
        ("Placeholder:0", None),
        ("image", "probabilities"),
        ("image", None),
    ],
)
def test_the_output_is_found_under_a_name_of_the_kind_that_the_input_was_given(
    server: ModelServer, input_name: str, outputs: str | None
) -> None:
    client = old(server, service_name="digits")
    of_graph = signatures_of_digits(server)["tensors"]["outputs"]["output"]["name"]
    outputs = outputs and outputs.format(graph=of_graph)
    scores = client.score_file(str(NINE), input_name, outputs)

    assert (scores.shape, scores.argmax()) == ((10,), 9)


@pytest.mark.parametrize(
    ("input_name", "outputs"),
    [
        ("images", None),
        ("images", "colours"),
        ("Placeholder:0", None),
        ("Placeholder:0", "classifier/Softmax:0"),
        ("photos", "colours"),
        ("photos", "mean"),
        ("photos", "classifier/Mean:0"),
    ],
)
def test_a_saved_models_own_signature_goes_first(
    server: ModelServer, tmp_path: Path, input_name: str, outputs: str | None
) -> None:
    client = old(server, service_name="colours")
    scores = client.score_file(image_file(tmp_path, "blue"), input_name, outputs)

    assert (scores.shape, scores.argmax()) == ((3,), 2)


def test_names_of_tensors_are_those_in_the_metadata(server: ModelServer) -> None:
    client = old(server, service_name="digits")
    for name, output in (("probabilities", "probabilities"), ("bytes", "output_0")):
        signature = signatures_of_digits(server)[name]
        called, sought = signature["inputs"]["image"]["name"], signature["outputs"][output]["name"]
        found = client.score_file(str(NINE), called, sought)
        assert found == b"9" if name == "bytes" else found.argmax() == 9


def test_score_numpy_arrays_feeds_the_graph(server: ModelServer) -> None:
    tensors = signatures_of_digits(server)["tensors"]
    _, *sizes = tensors["inputs"]["input"]["tensor_shape"]["dim"]
    batch = np.zeros((2, *(int(each["size"]) for each in sizes)), np.float32)
    client = old(server, service_name="digits")

    assert client.score_numpy_arrays({"images": batch}).shape == (2, 10)
    assert client.score_numpy_arrays({"input": batch}, "output").shape == (2, 10)
    assert old(server).score_numpy_arrays({"x": [[1.0]]}).tolist() == [[2.5]], "the default: half"


@pytest.mark.tensorflow
def test_a_service_that_is_no_model_is_answered_by_the_default_one(digits: ModelServer) -> None:
    for name in ("", "resnet-50", "no/such", "digits"):
        assert old(digits, service_name=name).score_file(str(NINE)).argmax() == 9


def test_what_the_caller_can_mend_is_not_tried_again(
    server: ModelServer, tmp_path: Path, naps: list[float]
) -> None:
    text = tmp_path / "text.png"
    text.write_text("<html>")
    digits, colours = (old(server, service_name=name) for name in ("digits", "colours"))
    batch = np.zeros((1, 3), np.float32)
    for call, words in (
        (lambda: digits.score_file(str(text)), "an HTML page"),
        (lambda: digits.score_numpy_arrays({"images": batch}), "has shape [1, 3]"),
        (lambda: digits.score_numpy_arrays({"images": batch.astype(float)}), "to be float but"),
        (lambda: digits.score_numpy_arrays({"a": batch, "b": batch}), "takes a, b"),
        (lambda: colours.score_file(str(text)), "Unknown image file format"),
        (lambda: colours.score_numpy_arrays({"images": batch}), "to be string but float"),
        (lambda: colours.score_file(str(NINE), "image"), "serving_default: images -> colours"),
        (lambda: old(server).score_file(str(NINE)), "serving_default: x -> y"),
    ):
        code, message = refused(call)
        assert code == "INVALID_ARGUMENT"
        assert words in message
    assert naps == []


@pytest.mark.tensorflow
def test_a_token_opens_and_a_wrong_one_does_not(naps: list[float]) -> None:
    with ModelServer(*DIGITS, env={"API_KEYS": "secret"}, rest=False) as server:
        assert old(server, access_token="secret").score_file(str(NINE)).argmax() == 9
        assert naps == []
        wrong = old(server, access_token="guess")
        code, message = refused(lambda: wrong.score_file(str(NINE)))

    assert (code, message[:17]) == ("UNAUTHENTICATED", "The key is wrong.")
    assert naps == [1, 2, 4, 8], "it tries that again, as it does with all other codes"


@pytest.mark.tensorflow
def test_a_deadline_that_passes_and_nobody_there(digits: ModelServer, naps: list[float]) -> None:
    client = old(digits)
    assert client.score_file(str(NINE), timeout=60.0).argmax() == 9
    os.kill(digits.process.pid, signal.SIGSTOP)
    try:
        code, _ = refused(lambda: client.score_file(str(NINE), timeout=0.2))
    finally:
        os.kill(digits.process.pid, signal.SIGCONT)
    assert (code, naps) == ("DEADLINE_EXCEEDED", [1, 2, 4, 8])

    nobody = old_client().PredictionClient("127.0.0.1", free_port())
    code, _ = refused(lambda: nobody.score_file(str(NINE)))
    assert (code, len(naps)) == ("UNAVAILABLE", 8)


@pytest.mark.tensorflow
def test_a_server_that_starts_again_is_found_again(
    naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(*DIGITS, rest=False) as server:
        client = old(server)
        assert client.score_file(str(NINE)).argmax() == 9
        server.process.kill()
        server.process.wait()

        def start(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 1:
                server.__enter__()
            else:  # gRPC itself may wait a little longer before it connects again
                time.sleep(seconds)

        monkeypatch.setattr(old_client(), "time", SimpleNamespace(sleep=start))

        assert client.score_file(str(NINE)).argmax() == 9
        assert naps == [1, 2, 4, 8][: len(naps)]


@pytest.mark.tensorflow
def test_over_tls(tmp_path: Path) -> None:
    """In a process of its own: gRPC reads once where the roots are that it trusts."""
    authority = trustme.CA()
    config = tls_config(tmp_path, authority)
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    program = (
        "import sys; from benchmarks.baselines.accelerated_models_client import old_client\n"
        "client = old_client().PredictionClient('localhost', int(sys.argv[1]), True)\n"
        f"print(client.score_file({str(NINE)!r}).argmax())"
    )
    with ModelServer(*DIGITS, f"--ssl_config_file={config}", rest=False) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, str(server.port)],
            cwd=ROOT,
            env={**server.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": f"{tmp_path}/roots.pem"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.stdout.split() == ["9"], done.stderr


@pytest.mark.tensorflow
def test_tls_on_one_side_only_or_with_a_certificate_of_nobody(
    digits: ModelServer, tmp_path: Path, naps: list[float]
) -> None:
    config = tls_config(tmp_path, trustme.CA())
    with ModelServer(*DIGITS, f"--ssl_config_file={config}", rest=False) as server:
        # By name, for which the certificate is; the system's roots do not know who signed it.
        unknown = old_client().PredictionClient("localhost", server.port, use_ssl=True)
        for client in (old(server), unknown, old(digits, use_ssl=True)):
            naps.clear()
            code, _ = refused(partial(client.score_file, str(NINE)))
            assert (code, naps) == ("UNAVAILABLE", [1, 2, 4, 8])


def test_outputs_may_be_listed_after_all_and_labels_be_among_them(digits: ModelServer) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest(output_filter=["labels", "output_alias"])
    request.inputs["images"].CopyFrom(tf.make_tensor_proto([NINE.read_bytes()]))
    with grpc.insecure_channel(digits.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, 10)
        request.output_filter.append("nothing")
        code, message = refused(lambda: stub.Predict(request, 10))

    assert set(answer.outputs) == {"labels", "output_alias"}
    assert list(answer.outputs["labels"].string_val) == [b"%d" % digit for digit in range(10)]
    assert answer.model_spec.signature_name == "probabilities"
    assert code == "INVALID_ARGUMENT"
    assert "takes images and gives labels, output_alias, nothing" in message


def preview(server: ModelServer, value: Any) -> Any:
    """What the preview's client sends: no metadata, no names but ``images``; and what it reads."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(value))
    with grpc.insecure_channel(server.address) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, 10)
    return tf.make_ndarray(answer.outputs["output_alias"])


def test_the_previews_client_finds_its_output_alias(digits: ModelServer) -> None:
    scores = preview(digits, [NINE.read_bytes()])

    assert (scores.shape, scores.argmax()) == ((1, 10), 9)


def test_the_previews_client_finds_it_in_a_saved_model_too(
    in_process: TensorFlowServing, tmp_path: Path
) -> None:
    file = np.array([Path(image_file(tmp_path, "lime")).read_bytes()], object)
    found = predict_for_accelerated(in_process, ModelSpec(), {"images": file}, (), {}).outputs

    assert set(found) == {"colours", "output_alias"}
    assert found["output_alias"].argmax() == 1


NAMES = ["images", "image", "input", "x", "a", "text", "Placeholder:0", ""]
NAMES += ["probabilities_image:0", "bytes_image:0", "serving_default_image:0"]
OUTPUTS = ["output_alias", "labels", "probabilities", "output", "y", "colours", "mean", ""]


@pytest.fixture(scope="module")
def in_process(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> TensorFlowServing:
    # A folder of its own: that of the server is the whole session's.
    folder = tmp_path_factory.mktemp("in-process")
    for source in (
        models_root / "half",
        models_root / "types",
        models_root / "colours",
        DIGITS_DIR,
    ):
        shutil.copytree(source, folder / source.name)
    settings = Settings.from_environ({"MODELS_DIR": str(folder), "DEFAULT_MODEL": "colours"})
    return TensorFlowServing(Classifier(settings))


@settings(deadline=None, max_examples=200)
@given(
    model=st.sampled_from(["digits", "colours", "half", "types", "none"]),
    inputs=st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, min_side=0, max_side=3)),
            arrays.arrays(np.int64, arrays.array_shapes(min_dims=0, min_side=0, max_side=3)),
            st.lists(st.binary(max_size=9), max_size=3).map(lambda files: np.array(files, object)),
            st.binary(max_size=9).map(lambda file: np.array(file, object)),
        ),
        max_size=3,
    ),
    outputs=st.lists(st.sampled_from(OUTPUTS), max_size=3),
    metadata=st.sampled_from([{}, {"x-ms-aml-grpc-service-route": "/api/v1/service/"}]),
)
def test_whatever_is_sent_is_answered_or_the_callers_mistake(
    in_process: TensorFlowServing,
    model: str,
    inputs: dict[str, Any],
    outputs: list[str],
    metadata: dict[str, str],
) -> None:
    spec = ModelSpec(model)
    try:
        found = predict_for_accelerated(in_process, spec, inputs, outputs, metadata)
    except ServingError as exc:
        assert exc.code is (Code.NOT_FOUND if model == "none" else Code.INVALID_ARGUMENT)
    else:
        assert set(found.outputs) >= set(outputs)
        assert found.outputs


def test_clients_of_tensorflow_serving_are_answered_as_before(server: ModelServer) -> None:
    """The same input by the same name, from a caller who names the model: its keys and no more."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(server.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        fill_spec(request.model_spec, "colours")
        request.inputs["images"].CopyFrom(tf.make_tensor_proto([NINE.read_bytes()]))
        assert list(stub.Predict(request, 10).outputs) == ["colours"]
        request.model_spec.name = "digits"
        code, message = refused(lambda: stub.Predict(request, 10))

    assert code == "INVALID_ARGUMENT"
    assert message.startswith("input size does not match") or "alias not found" in message
