"""Measures Custom Vision's prediction API and its container's route against the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.case import Case
from benchmarks.load.process import Sender, sender
from benchmarks.load.throughput import CLIENTS, Endpoint, image_bytes, rates_case
from benchmarks.servers.app_host import classify_path, local_host, wait_until_ready

CLASSIFY = "/api/classify"
OCTETS = "prediction API, octet-stream"
FORM = "prediction API, the Python SDK's form"
CONTAINER = "the container's /image"
PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"  # any will do
OCTET_STREAM = "application/octet-stream"
BOUNDARY = "460acbd6ced4109d07065110c12ca032"
SHARE = 0.9


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields the four endpoints, on one local host with one worker."""
    with (
        open_workload() as workload,
        local_host(workload.environ()) as (program, port),
        sender() as source,
    ):
        wait_until_ready(program, port)
        yield [images_case(workload, port, source, quick=quick)]


def images_case(workload: Workload, port: int, source: Sender, *, quick: bool) -> Case:
    """Eight clients send an encoded image to four endpoints."""
    data = image_bytes()
    form, form_type = sdk_form(data)
    iteration = f"{PROJECT}/classify/iterations/{quote(workload.model)}"
    api = f"/customvision/v3.1/prediction/{iteration}/image"
    return rates_case(
        workload,
        {
            CLASSIFY: Endpoint(
                port, classify_path(workload.model), data, content_type=OCTET_STREAM
            ),
            OCTETS: Endpoint(port, api, data, "custom_vision", OCTET_STREAM),
            FORM: Endpoint(port, api, form, "custom_vision", form_type),
            CONTAINER: Endpoint(port, "/image", data, "container", OCTET_STREAM),
        },
        source,
        description=f"answers a second to {CLIENTS} clients that send a 600 x 600 JPEG to the "
        "local host with one worker, ONNX Runtime; the clients are a process of their own on the "
        f"same cores; {workload.description}",
        base=CLASSIFY,
        goals={OCTETS: SHARE, FORM: SHARE},
        quick=quick,
    )


def sdk_form(data: bytes) -> tuple[bytes, str]:
    """Makes the form that the Python SDK sends: a part without file name and type."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="imageData"\r\n\r\n'.encode()
    body = head + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"
