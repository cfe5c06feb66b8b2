"""Measures where the time of one HTTP request goes, from the client's first byte to its last."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import azure.functions as func

from benchmarks import ROOT
from benchmarks.data.synthetic_images import jpeg
from benchmarks.data.workload import Workload, open_workload
from benchmarks.harness.answer_checks import check_same_answer
from benchmarks.harness.case import Case, Goal, Measured
from benchmarks.harness.statistics import Samples
from benchmarks.servers.app_host import (
    Client,
    classify_path,
    free_ports,
    local_host,
    wait_until_ready,
)
from benchmarks.servers.bare_http import BODY, HEADERS
from benchmarks.servers.processes import running
from image_classifier import Classifier
from image_classifier.bindings.authentication import check_key
from image_classifier.bindings.http import json_response
from image_classifier.bindings.image_request import read_image_request

REQUEST = "one request"
IMAGE = "600x600.jpg (generated)"
NETWORK, HOST, PARSE, CHECKS = "network", "host and framework", "parse", "checks"
RENDER = "render"
SUM, WHOLE = "sum of these", "whole request, measured"
# Part -> how it is measured, in the order in which a request meets them.
PARTS: Mapping[str, str] = {
    NETWORK: "client, kernel and loopback: the same request to a server that does nothing",
    HOST: "an empty function in the local host, less the network",
    PARSE: "key and image are looked for in the request; in process",
    CHECKS: "the image's header, limits, the model's lookup: classify_bytes in process, less its "
    "stages",
    "decode": "from the answer's Server-Timing header",
    "preprocess": "as above",
    "infer": "as above",
    RENDER: "the answer as JSON; in process",
}
MOST_PREPROCESS_MILLISECONDS = 3
EMPTY_MODEL = "nothing"
EMPTY_FUNCTION = f"""
import azure.functions as func

BODY = {BODY!r}
HEADERS = {dict(HEADERS)!r}


def main(req: func.HttpRequest) -> func.HttpResponse:
    req.get_body()
    return func.HttpResponse(BODY, headers=HEADERS, mimetype="application/json")
"""


@contextmanager
def cases(quick: bool) -> Iterator[list[Case]]:
    """Yields the one case."""
    with open_workload() as workload, breakdown_case(workload, quick=quick) as case:
        yield [case]


@contextmanager
def breakdown_case(workload: Workload, *, quick: bool) -> Iterator[Case]:
    """Yields the parts, with the three servers that they are measured on."""
    with ExitStack() as stack:
        (bare_port,) = free_ports(1)
        app = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-empty-")))
        write_empty_app(app)
        bare = stack.enter_context(running("benchmarks.servers.bare_http", [str(bare_port)], {}))
        servers = [
            (*stack.enter_context(local_host(workload.environ())), workload.model),
            (*stack.enter_context(local_host({}, root=app)), EMPTY_MODEL),
            (bare, bare_port, EMPTY_MODEL),
        ]
        for program, port, _ in servers:
            wait_until_ready(program, port)
        clients = [
            stack.enter_context(closing(Client(port, model, keep_alive=True)))
            for _, port, model in servers
        ]
        breakdown = RequestBreakdown(workload.classifier(), workload.model, *clients)
        yield _case(workload, breakdown, quick=quick)


def write_empty_app(root: Path) -> None:
    """Writes a function app whose one function does nothing, at the address of the real one."""
    folder = root / "nothing"
    folder.mkdir()
    (folder / "__init__.py").write_text(EMPTY_FUNCTION, "utf-8")
    shutil.copyfile(ROOT / "classify" / "function.json", folder / "function.json")
    shutil.copyfile(ROOT / "host.json", root / "host.json")
    settings = {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python"}}
    (root / "local.settings.json").write_text(json.dumps(settings), "utf-8")


class RequestBreakdown:
    """Takes one request apart: the same image as a whole, and part by part.

    Args:
        classifier: for the parts in process.
        model: that it serves.
        app: client of the real app.
        empty: of the host with an empty function.
        bare: of the server that does nothing.
    """

    def __init__(
        self, classifier: Classifier, model: str, app: Client, empty: Client, bare: Client
    ) -> None:
        self._classifier = classifier
        self._model = model
        self._app, self._empty, self._bare = app, empty, bare

    def __call__(self, image: bytes) -> Measured:
        """Measures every part once."""
        reply = self._app.ask(image)
        network = self._bare.ask(image).milliseconds
        host = self._empty.ask(image).milliseconds
        request = self._request(image)
        parse = _milliseconds(lambda: self._parse(request))
        started = time.perf_counter()
        prediction = self._classifier.classify_bytes(image)
        in_process = (time.perf_counter() - started) * 1000
        own_stages = sum(value for _, value in prediction.times.items())
        parts = {
            NETWORK: network,
            HOST: host - network,
            PARSE: parse,
            CHECKS: in_process - own_stages,
            **reply.stages,
            RENDER: _milliseconds(lambda: json_response(prediction.as_dict())),
        }
        parts[SUM] = sum(parts.values())
        parts[WHOLE] = reply.milliseconds
        figures = {f"{name}, ms": value for name, value in parts.items()}
        return Measured([reply.answer, prediction.as_dict()], figures)

    def _request(self, image: bytes) -> func.HttpRequest:
        """Makes the request as the host does."""
        url = f"http://127.0.0.1{classify_path(self._model)}"
        headers = {"host": "127.0.0.1", "content-type": "application/octet-stream"}
        params = {"model": self._model}
        return func.HttpRequest(
            method="POST", url=url, headers=headers, params=params, route_params={}, body=image
        )

    def _parse(self, request: func.HttpRequest) -> None:
        check_key(request, self._classifier.settings)
        read_image_request(request)


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _case(workload: Workload, breakdown: RequestBreakdown, *, quick: bool) -> Case:
    def check(name: str, answers: Mapping[str, Any]) -> None:
        served, in_process = answers[REQUEST]
        check_same_answer(f"{REQUEST}, {name}", served, in_process)

    return Case(
        name="budget",
        description="one client on a kept connection posts a 600 x 600 JPEG to the local host "
        f"(ONNX Runtime, one worker); in each round every part is measured once; "
        f"{workload.description}",
        implementations={REQUEST: breakdown},
        inputs={IMAGE: jpeg(600, 600)},
        check=check,
        rounds=10 if quick else 250,
        warm_up_rounds=5,
        goals=(
            Goal(
                "preprocessing of a 600 x 600 image",
                "<",
                MOST_PREPROCESS_MILLISECONDS,
                "ms",
                lambda samples: samples.median(REQUEST, IMAGE, "preprocess, ms"),
            ),
        ),
        notes=_notes,
    )


def _notes(samples: Samples) -> list[str]:
    medians = {name: samples.median(REQUEST, IMAGE, f"{name}, ms") for name in (*PARTS, WHOLE)}
    milliseconds = medians.pop(WHOLE)
    lines = [
        f"{name}: {value:.3f} ms, {value / milliseconds:.1%} ({PARTS[name]})."
        for name, value in medians.items()
    ]
    total = sum(medians.values())
    rest = milliseconds - total
    return [
        *lines,
        f"The parts' medians add up to {total:.2f} ms of {milliseconds:.2f} ms; {rest:.2f} ms "
        f"({rest / milliseconds:.1%}) are in none of them: a part by itself is not exactly the "
        "same as in the server.",
    ]
