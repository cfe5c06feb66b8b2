"""docs/observability.md is held against the code, and its commands are run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from image_classifier.observability import telemetry
from model_server.metrics import Metrics
from tests.project.test_readme import run_in_shell
from tests.support.otlp_receiver import OtlpReceiver, attributes_of
from tests.support.servers import ROOT, LocalHost

PAGE = (ROOT / "docs" / "observability.md").read_text("utf-8")
SAMPLE = ROOT / "frontend" / "samples" / "seven.png"


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    """The names in the first column of the tables, which stand as code."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def full_record() -> telemetry.Record:
    with telemetry.request("classify", "POST /api/classify") as record:
        telemetry.set_model("pets", 1, "onnx")
        telemetry.add_image(48211)
        names = ("fetch", "decode", "preprocess", "infer")
        telemetry.add_stages([(name, 1.0) for name in names])
        record.status, record.trace_id = 200, "0" * 32
    return record


def test_every_key_of_the_line_is_explained_and_the_example_has_them_in_order() -> None:
    keys = list(json.loads(telemetry.log_line(full_record())))
    (example,) = blocks("json")

    assert first_cells(section("One line for each request")) == set(keys)
    assert list(json.loads(example)) == [key for key in keys if key != "trace_id"]


def test_every_metric_that_is_sent_is_in_the_table_with_its_labels() -> None:
    table = section("OpenTelemetry").split("**Metrics.**")[1]
    with OtlpReceiver() as receiver:
        environ = {**receiver.environ, "OTEL_TRACES_EXPORTER": "none"}
        with LocalHost(env=environ) as host:
            run_in_shell(f"curl -s --data-binary @{SAMPLE} {host.url}/api/classify")
            receiver.wait_for(lambda: receiver.points("http.server.request.duration"))
        names = set(receiver.names())
        labels: dict[str, set[str]] = {
            name: set(attributes_of(receiver.points(name)[-1])) for name in names
        }

    assert first_cells(table) >= names
    for row in table.splitlines():
        name = re.match(r"\| `(image_classifier[\w.]+)` \|[^|]*\|(.*)\|", row)
        if name:
            assert set(re.findall(r"`(\w+)`", name[2])) == labels[name[1]], name[1]


def test_every_counter_of_ours_for_prometheus_is_in_the_table() -> None:
    found = set(re.findall(r"# TYPE (\S+)", Metrics().text()))
    text = section("Prometheus, for `model_server`")

    assert first_cells(text) == {name for name in found if name.startswith("image_classifier_")}
    for name in found - first_cells(text):
        assert name.removeprefix(":tensorflow:serving:") in text


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_configurations_can_be_read(text: str) -> None:
    value: Any = yaml.safe_load(text)

    assert isinstance(value, dict)


def test_the_probes_run_as_printed(host: LocalHost) -> None:
    lines = [line for line in "".join(blocks("sh")).splitlines() if line.startswith("curl")]
    answers = [
        json.loads(run_in_shell(line.replace("http://localhost:7071", host.url)).stdout)
        for line in lines
    ]

    assert answers == [{"status": "alive"}, {"status": "ready"}]
