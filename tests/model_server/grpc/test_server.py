"""TensorFlow Serving's official client against the server, call by call."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.support.model_servers import Client, ModelServer, fill_spec, photos_request

ROOT = Path(__file__).resolve().parents[3]
NINE = (ROOT / "frontend" / "samples" / "nine.png").read_bytes()
ONE = np.array([[1.0], [2.0]], np.float32)


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code().name, error.details()


def example(**features: float) -> Any:
    import tensorflow as tf

    found = tf.train.Example()
    for name, value in features.items():
        found.features.feature[name].float_list.value.append(value)
    return found


def test_predict_answers_in_float_val_with_the_spec_filled(client: Client) -> None:
    answer = client.predict("half", {"x": ONE})

    assert list(answer.outputs["y"].float_val) == [2.5, 3.0]
    assert answer.outputs["y"].tensor_content == b""
    assert [dim.size for dim in answer.outputs["y"].tensor_shape.dim] == [2, 1]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 123, "serving_default")


def test_versions_by_number_and_by_label(client: Client) -> None:
    for more, expected in (
        ({"version": 0}, 7.5),
        ({"version": 123}, 2.5),
        ({"label": "old"}, 7.5),
        ({"label": "stable"}, 2.5),
        ({}, 2.5),
    ):
        answer = client.predict("half", {"x": ONE[:1]}, **more)
        assert list(answer.outputs["y"].float_val) == [expected]


def test_fed_shapes_are_not_compared(client: Client) -> None:
    answer = client.predict("half", {"x": np.ones(3, np.float32)})

    assert list(answer.outputs["y"].float_val) == [2.5] * 3


def test_tensor_names_are_answered_with_tensor_names(client: Client) -> None:
    answer = client.predict("half", {"x:0": ONE}, signature="two_outputs")

    assert set(answer.outputs) == {"y:0", "label:0"}
    assert list(answer.outputs["label:0"].string_val) == [b"2.5", b"3.0"]


@pytest.mark.parametrize(
    "name",
    ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16"]
    + ["uint32", "uint64", "bool"],
)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 2)])
def test_every_dtype_and_shape_there_and_back(
    client: Client, name: str, shape: tuple[int, ...]
) -> None:
    import tensorflow as tf

    value = (np.arange(np.prod(shape, dtype=int)) % 2).astype(name).reshape(shape)
    answer = client.predict("types", {"value": value}, signature=f"echo_{name}")
    found = tf.make_ndarray(answer.outputs["value"])

    assert found.dtype == value.dtype
    assert np.array_equal(found, value)


def test_strings_there_and_back(client: Client) -> None:
    answer = client.predict("types", {"value": [b"", b"\x00\xff"]}, signature="echo_string")

    assert list(answer.outputs["value"].string_val) == [b"", b"\x00\xff"]


def test_values_that_are_not_written_out_are_copies_of_the_last(client: Client) -> None:
    import tensorflow as tf

    proto = tf.compat.v1.make_tensor_proto(1.0, np.float32, [2, 3])
    answer = client.predict("types", {"value": proto}, signature="echo_float32")

    assert list(answer.outputs["value"].float_val) == [1.0] * 6


def test_an_image_classifier_has_four_signatures(client: Client) -> None:
    text = base64.urlsafe_b64encode(NINE)

    default = client.predict("digits", {"image": [text]})
    as_file = client.predict("digits", {"image": [NINE, NINE]}, signature="bytes")
    scores = client.predict("digits", {"image": [NINE]}, signature="probabilities")

    assert list(default.outputs["output_0"].string_val) == [b"9"]
    assert list(as_file.outputs["output_0"].string_val) == [b"9", b"9"]
    assert list(scores.outputs["label"].string_val) == [b"9"]
    assert np.argmax(scores.outputs["probabilities"].float_val) == 9


def test_an_empty_name_means_the_first_model(client: Client) -> None:
    assert client.predict("", {"x": ONE}).model_spec.name == "half"


def test_a_message_may_be_larger_than_grpcs_four_megabytes(client: Client) -> None:
    batch = np.ones((8, 224, 224, 3), np.float32)
    answer = client.predict("types", {"value": batch}, signature="echo_float32")

    assert len(answer.outputs["value"].float_val) == batch.size


def test_classify_and_regress_with_and_without_a_context(client: Client) -> None:
    from tensorflow_serving.apis import classification_pb2, regression_pb2

    request = classification_pb2.ClassificationRequest()
    fill_spec(request.model_spec, "half", "classify_x_to_y")
    request.input.example_list.examples.extend([example(x=1), example(x=2)])
    answer = client.prediction.Classify(request, timeout=60)
    classes = [each.classes[0] for each in answer.result.classifications]
    assert [(one.label, one.score) for one in classes] == [("2.5", 2.5), ("3.0", 3.0)]
    assert answer.model_spec.signature_name == "classify_x_to_y"

    request = regression_pb2.RegressionRequest()
    fill_spec(request.model_spec, "half", "regress_x_to_y")
    request.input.example_list_with_context.context.CopyFrom(example(x=1))
    request.input.example_list_with_context.examples.extend([example(), example(x=4)])
    answer = client.prediction.Regress(request, timeout=60)
    assert [each.value for each in answer.result.regressions] == [2.5, 4.0]


def test_multi_inference_answers_each_task(client: Client) -> None:
    from tensorflow_serving.apis import inference_pb2

    request = inference_pb2.MultiInferenceRequest()
    request.input.example_list.examples.append(example(x=1))
    for signature, method in (("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        fill_spec(task.model_spec, "half", signature)
    answer = client.prediction.MultiInference(request, timeout=60)

    assert answer.results[0].regression_result.regressions[0].value == 2.5
    assert answer.results[1].classification_result.classifications[0].classes[0].label == "2.5"
    assert answer.results[1].model_spec.version.value == 123


def test_metadata_is_a_map_of_signature_defs(client: Client) -> None:
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    fill_spec(request.model_spec, "half")
    answer = client.prediction.GetModelMetadata(request, timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()

    assert answer.metadata["signature_def"].Unpack(signatures)
    x = signatures.signature_def["serving_default"].inputs["x"]
    assert (x.name, x.dtype, [dim.size for dim in x.tensor_shape.dim]) == ("x:0", 1, [-1, 1])
    assert answer.model_spec.version.value == 123

    request.metadata_field[:] = []
    assert refused(lambda: client.prediction.GetModelMetadata(request, timeout=60)) == (
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    request.metadata_field[:] = ["other"]
    assert refused(lambda: client.prediction.GetModelMetadata(request, timeout=60)) == (
        "INVALID_ARGUMENT",
        "Metadata field other is not supported",
    )


def test_the_status_of_each_version(client: Client) -> None:
    status = client.status("half")

    assert list(status) == [123, 0], "the highest first"
    assert {each.state for each in status.values()} == {30}, "AVAILABLE"
    assert list(client.status("half", 0)) == [0]
    broken = client.status("broken")[5]
    assert broken.state == 50, "END"
    assert broken.status.error_code == 3
    assert "is not a SavedModel" in broken.status.error_message


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (
            lambda client: client.predict("no", {}),
            "NOT_FOUND",
            "Servable not found for request: Latest(no)",
        ),
        (
            lambda client: client.predict("half", {}, version=7),
            "NOT_FOUND",
            "Servable not found for request: Specific(half, 7)",
        ),
        (
            lambda client: client.predict("broken", {}),
            "NOT_FOUND",
            "Servable not found for request: Latest(broken)",
        ),
        (
            lambda client: client.predict("half", {}, label="L"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: L",
        ),
        (
            lambda client: client.predict("half", {}, signature="s"),
            "FAILED_PRECONDITION",
            'Serving signature key "s" not found.',
        ),
        (
            lambda client: client.predict("half", {"x": ONE, "z": ONE}),
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. "
            "Missing but required: {}.",
        ),
        (
            lambda client: client.predict("half", {"x": ONE}, output_filter=["z"]),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        (
            lambda client: client.predict("half", {"x": [1]}),
            "INVALID_ARGUMENT",
            "Expects arg[0] to be float but int32 is provided",
        ),
        (
            lambda client: client.status("no"),
            "NOT_FOUND",
            "Could not find any versions of model no",
        ),
        (
            lambda client: client.status("half", 7),
            "NOT_FOUND",
            "Could not find version 7 of model half",
        ),
    ],
)
def test_errors_have_tensorflow_servings_codes_and_words(
    client: Client, call: Callable[[Client], object], code: str, message: str
) -> None:
    assert refused(lambda: call(client)) == (code, message)


def tensor(**fields: Any) -> Any:
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    sizes = fields.pop("sizes", ())
    proto = TensorProto(**fields)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dtype": 1, "sizes": [3], "tensor_content": b"12"}, "has 2 bytes"),
        ({"dtype": 1, "sizes": [2**40, 2**40]}, "larger than any memory"),
        ({"dtype": 1, "sizes": [2**30], "float_val": [1]}, "which the message does not have"),
        ({"dtype": 7, "sizes": [2**40]}, "which the message does not have"),
        ({"dtype": 1, "sizes": [-1]}, "is not fully known"),
        ({"dtype": 1, "sizes": [1], "float_val": [1, 2]}, "has 2 values, but its shape takes 1"),
        ({"dtype": 7, "sizes": [1], "tensor_content": b"a"}, "must be in string_val"),
        ({"dtype": 8, "sizes": [1], "scomplex_val": [1]}, "half a complex number"),
        ({"dtype": 0}, "its dtype is DT_INVALID"),
        ({"dtype": 14}, "its dtype is DT_BFLOAT16"),
        ({"dtype": 101}, "its dtype is 101"),
    ],
)
def test_a_tensor_that_does_not_fit_together_is_refused_in_words(
    client: Client, fields: dict[str, Any], words: str
) -> None:
    code, message = refused(lambda: client.predict("half", {"x": tensor(**fields)}))

    assert code == "INVALID_ARGUMENT"
    assert message.startswith("tensor parsing error: x: ")
    assert words in message
    assert client.predict("half", {"x": ONE}).outputs["y"].float_val, "the server goes on"


@pytest.mark.parametrize(
    ("signature", "image", "words"),
    [
        ("bytes", b"<html>", "an HTML page"),
        ("bytes", b"", "0 bytes"),
        ("serving_default", b"***", "is not base64 text"),
    ],
)
def test_images_that_are_none_are_refused_in_words(
    client: Client, signature: str, image: bytes, words: str
) -> None:
    code, message = refused(
        lambda: client.predict("digits", {"image": [image]}, signature=signature)
    )

    assert code == "INVALID_ARGUMENT"
    assert words in message


def test_a_request_without_a_model_spec_goes_to_the_default_model_or_is_refused(
    client: Client,
) -> None:
    """Clients of Azure ML's accelerated models send Predict without one."""
    import tensorflow as tf
    from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2

    request = predict_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(ONE))
    answer = client.prediction.Predict(request, timeout=60)
    assert answer.model_spec.name == "half"
    for call, empty in (
        (client.prediction.Classify, classification_pb2.ClassificationRequest()),
        (client.prediction.Regress, regression_pb2.RegressionRequest()),
    ):
        found = refused(lambda call=call, empty=empty: call(empty, timeout=60))  # type: ignore[misc]
        assert found == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_a_very_long_message_is_cut_as_tensorflow_serving_cuts_it(client: Client) -> None:
    code, message = refused(lambda: client.predict("half", {"é" * 50_000: ONE}))

    assert code == "INVALID_ARGUMENT"
    assert message.endswith("...TRUNCATED")
    assert len(message.encode()) <= 1024 + len("...TRUNCATED")


def test_bytes_that_are_no_message_do_no_harm(server: ModelServer, client: Client) -> None:
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, message = refused(lambda: call(b"\xff\xff\xff", timeout=60))
    assert code == "INTERNAL"
    assert "no message tensorflow.serving.PredictRequest" in message

    unknown = client.channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")
    code, _ = refused(lambda: unknown(b"", timeout=60))
    assert code == "UNIMPLEMENTED"
    assert client.predict("half", {"x": ONE}).outputs["y"].float_val


def test_every_call_has_its_line_in_the_log(server: ModelServer, client: Client) -> None:
    before = len(server.log())
    client.predict("half", {"x": ONE})
    for method, data in (("Predict", b"\xff\xff\xff"), ("Nothing", b"")):
        call = client.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        refused(partial(call, data, timeout=60))
    server.wait_for_log(r'"endpoint": "grpc", "outcome": "UNIMPLEMENTED", "status": 501')
    log = server.log()[before:]

    assert '{"endpoint": "grpc", "outcome": "ok", "status": 200, "model": "half"' in log
    assert '{"endpoint": "grpc", "outcome": "INTERNAL", "status": 500, "total_ms"' in log
    assert "Traceback" not in log


def test_the_log_tells_of_callers_who_did_not_wait(server: ModelServer, client: Client) -> None:
    request = photos_request(8)  # two seconds of work
    given_up = client.prediction.Predict.future(request, timeout=1)
    assert refused(given_up.result)[0] == "DEADLINE_EXCEEDED"
    server.wait_for_log('"endpoint": "grpc", "outcome": "DEADLINE_EXCEEDED", "status": 504')

    call = client.prediction.Predict.future(request, timeout=60)
    deadline = time.monotonic() + 60
    while in_flight(server) != 1:
        assert time.monotonic() < deadline
    assert call.cancel()
    server.wait_for_log('"endpoint": "grpc", "outcome": "CANCELLED", "status": 499')


def in_flight(server: ModelServer) -> int:
    metrics = server.get("/monitoring/prometheus/metrics").text
    found = re.search(r'requests_in_flight\{entrypoint="GRPC"\} (\d+)', metrics)
    return int(found[1]) if found else 0


def test_a_unix_socket_is_answered_too(server: ModelServer, models_root: Path) -> None:
    with Client(f"unix:{models_root}/socket") as local:
        assert list(local.predict("half", {"x": ONE[:1]}).outputs["y"].float_val) == [2.5]


def test_the_health_service_says_that_a_model_is_missing(client: Client) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(client.channel)
    for name in ("", "PredictionService", "tensorflow.serving.ModelService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING, "broken is configured"
