"""The counters, in the text that Prometheus reads."""

from __future__ import annotations

from platform import python_version

import pytest

from image_classifier.observability import telemetry
from image_classifier.protocols.tf_serving.errors import Code, ServingError
from model_server import VERSION
from model_server.metrics import Metrics

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"


RUNS = ":tensorflow:serving:runtime_latency"
EXAMPLES = ":tensorflow:serving:request_example_counts"
ALL_EXAMPLES = ":tensorflow:serving:request_example_count_total"


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.know(["m"])
    return made


def lines(metrics: Metrics) -> list[str]:
    return metrics.text().splitlines()


def test_nothing_has_happened_yet(metrics: Metrics) -> None:
    assert lines(metrics) == [
        f"# TYPE {REQUESTS} counter",
        f"# TYPE {ALL_EXAMPLES} counter",
        f"# TYPE {EXAMPLES} histogram",
        f"# TYPE {LATENCY} histogram",
        f"# TYPE {RUNS} histogram",
        "# TYPE image_classifier_build_info gauge",
        f'image_classifier_build_info{{version="{VERSION}",python="{python_version()}"}} 1',
        "# TYPE image_classifier_requests_in_flight gauge",
        "# TYPE image_classifier_stage_duration_seconds histogram",
    ]


def test_times_are_in_the_bucket_that_ends_at_or_after_them(metrics: Metrics) -> None:
    for microseconds in (10, 11, 10**12):
        metrics.add("m", "Predict", "GRPC", Code.OK, microseconds / 1e6)
    labels = 'model_name="m",API="Predict",entrypoint="GRPC"'
    found = lines(metrics)

    assert f'{REQUESTS}{{model_name="m",status="OK"}} 3' in found
    assert f'{LATENCY}_bucket{{{labels},le="10"}} 1' in found
    assert f'{LATENCY}_bucket{{{labels},le="18"}} 2' in found
    assert f'{LATENCY}_bucket{{{labels},le="32.4"}} 2' in found
    assert f'{LATENCY}_bucket{{{labels},le="+Inf"}} 3' in found
    assert f"{LATENCY}_count{{{labels}}} 3" in found
    assert sum("_bucket{" in line for line in found) == 34


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServingError(Code.INVALID_ARGUMENT, "no"), "INVALID_ARGUMENT"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
def test_an_error_is_counted_by_its_code_and_passed_on(
    metrics: Metrics, error: Exception, status: str
) -> None:
    with pytest.raises(type(error)), metrics.measured("m", "Predict", "REST"):
        raise error

    assert f'{REQUESTS}{{model_name="m",status="{status}"}} 1' in lines(metrics)
    assert not any("_bucket" in line for line in lines(metrics))


@pytest.mark.parametrize("code", [Code.NOT_FOUND, Code.INVALID_ARGUMENT, Code.UNAUTHENTICATED])
def test_names_of_models_that_are_not_there_do_not_fill_the_memory(
    metrics: Metrics, code: Code
) -> None:
    empty = len(lines(metrics))
    for number in range(100):
        metrics.add(f"m{number}", "Predict", "REST", code, 0.1)

    assert f'{REQUESTS}{{model_name="",status="{code.name}"}} 100' in lines(metrics)
    assert len(lines(metrics)) == empty + 1


def test_looking_at_a_model_is_not_counted(metrics: Metrics) -> None:
    empty = lines(metrics)
    for api in ("GetModelStatus", "GetModelMetadata", "HandleReloadConfigRequest"):
        metrics.add("m", api, "GRPC", Code.OK, 0.1)

    assert lines(metrics) == empty


def test_each_run_is_counted_by_what_it_was_for(metrics: Metrics) -> None:
    with metrics.measured("m", "Predict", "GRPC"):
        metrics.add_run("m", "onnx", 0.001, 8)
    with metrics.measured("m", "MultiInference", "GRPC"):
        metrics.add_run("m", "TF1", 0.001, 3)
        metrics.add_run("m", "TF1", 0.001, 3)
    found = lines(metrics)

    assert f'{RUNS}_count{{model_name="m",API="Predict",runtime="onnx"}} 1' in found
    assert f'{RUNS}_count{{model_name="m",API="MultiInference",runtime="TF1"}} 2' in found
    assert f'{RUNS}_sum{{model_name="m",API="MultiInference",runtime="TF1"}} 2000' in found


def test_examples_are_counted_once_a_request_and_only_where_there_are_some(
    metrics: Metrics,
) -> None:
    for api, rows in (("Predict", 8), ("Classify", 2), ("MultiInference", 3)):
        with metrics.measured("m", api, "REST"):
            metrics.add_run("m", "TF1", 0.001, rows)
            metrics.add_run("m", "TF1", 0.001, rows)
    found = lines(metrics)

    assert f'{ALL_EXAMPLES}{{model="m"}} 5' in found
    assert f'{EXAMPLES}_bucket{{model="m",le="1"}} 0' in found
    assert f'{EXAMPLES}_bucket{{model="m",le="2"}} 1' in found
    assert f'{EXAMPLES}_bucket{{model="m",le="4"}} 2' in found
    assert f'{EXAMPLES}_bucket{{model="m",le="16384"}} 2' in found
    assert f'{EXAMPLES}_sum{{model="m"}} 5' in found


def test_labels_are_escaped(metrics: Metrics) -> None:
    metrics.know(['a"\\\n'])
    metrics.add('a"\\\n', "Predict", "REST", Code.OK, 0.1)

    assert f'{REQUESTS}{{model_name="a\\"\\\\\\n",status="OK"}} 1' in lines(metrics)


def test_stages_and_requests_in_flight_are_seen(metrics: Metrics) -> None:
    stop = telemetry.subscribe(metrics)
    try:
        with telemetry.request("grpc", "tensorflow.serving.PredictionService/Predict"):
            telemetry.set_model("m", 1, "onnx")
            telemetry.add_stages([("decode", 3.0), ("infer", 0.5)])
            telemetry.add_stages([("decode", 3.0), ("infer", 0.5)])
            during = lines(metrics)
        with telemetry.request("rest", "POST /"):
            telemetry.set_model("gone", 1, "onnx")
            telemetry.add_stages([("infer", 0.5)])
    finally:
        stop()
    found, stages = lines(metrics), "image_classifier_stage_duration_seconds"
    labels = 'model_name="m",stage="decode"'

    assert 'image_classifier_requests_in_flight{entrypoint="GRPC"} 1' in during
    assert 'image_classifier_requests_in_flight{entrypoint="GRPC"} 0' in found
    assert f'{stages}_bucket{{{labels},le="0.005"}} 0' in found
    assert f'{stages}_bucket{{{labels},le="0.01"}} 1' in found, "both images of the request"
    assert f"{stages}_sum{{{labels}}} 0.006" in found
    assert not any("gone" in line for line in found)
