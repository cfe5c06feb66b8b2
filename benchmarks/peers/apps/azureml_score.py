"""Scores requests in the Azure ML inference server: raw bytes in, its own JSON out."""

from __future__ import annotations

from typing import Any

from azureml_inference_server_http.api.aml_request import (  # type: ignore[import-not-found]
    AMLRequest,
    rawhttp,
)

from benchmarks.peers.apps.work import Work

work: Work


def init() -> None:
    """Loads the model; the server calls it once in each worker."""
    global work
    work = Work.from_environ()


@rawhttp  # type: ignore[untyped-decorator]
def run(request: AMLRequest) -> dict[str, Any]:
    """Answers one request."""
    return work.answer(request.get_data())
