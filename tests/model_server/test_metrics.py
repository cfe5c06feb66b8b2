"""The counters, in the text that Prometheus reads."""

from __future__ import annotations

import pytest

from image_classifier.contracts.serving_error import Code, ServingError
from model_server.metrics import Metrics

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"


def lines(metrics: Metrics) -> list[str]:
    return metrics.text().splitlines()


def test_nothing_has_happened_yet() -> None:
    assert lines(Metrics()) == [f"# TYPE {REQUESTS} counter", f"# TYPE {LATENCY} histogram"]


def test_times_are_in_the_bucket_that_ends_at_or_after_them() -> None:
    metrics = Metrics()
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
def test_an_error_is_counted_by_its_code_and_passed_on(error: Exception, status: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.measured("m", "Predict", "REST"):
        raise error

    assert f'{REQUESTS}{{model_name="m",status="{status}"}} 1' in lines(metrics)
    assert not any("_bucket" in line for line in lines(metrics))


def test_names_of_models_that_are_not_there_do_not_fill_the_memory() -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.add(f"m{number}", "Predict", "REST", Code.NOT_FOUND, 0.1)

    assert f'{REQUESTS}{{model_name="",status="NOT_FOUND"}} 100' in lines(metrics)
    assert len(lines(metrics)) == 3


def test_looking_at_a_model_is_not_counted() -> None:
    metrics = Metrics()
    for api in ("GetModelStatus", "GetModelMetadata", "HandleReloadConfigRequest"):
        metrics.add("m", api, "GRPC", Code.OK, 0.1)

    assert len(lines(metrics)) == 2


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.add('a"\\\n', "Predict", "REST", Code.OK, 0.1)

    assert f'{REQUESTS}{{model_name="a\\"\\\\\\n",status="OK"}} 1' in lines(metrics)
