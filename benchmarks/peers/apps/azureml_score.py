"""The scoring script of the Azure ML inference server: raw bytes in, its own JSON out."""

from __future__ import annotations

from typing import Any

from azureml_inference_server_http.api.aml_request import (  # type: ignore[import-not-found]
    AMLRequest,
    rawhttp,
)

from benchmarks.peers.apps.work import Work

work: Work


def init() -> None:
    global work
    work = Work.from_environ()


@rawhttp  # type: ignore[untyped-decorator]
def run(request: AMLRequest) -> dict[str, Any]:
    return work.answer(request.get_data())
