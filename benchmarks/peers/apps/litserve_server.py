"""Serves with LitServe: ``python -m benchmarks.peers.apps.litserve_server PORT WORKERS``."""

# No "from __future__ import annotations": LitServe hands the annotation below on to FastAPI.
import sys
from typing import Annotated, Any

import litserve  # type: ignore[import-not-found]
from fastapi import Body  # type: ignore[import-not-found]

from benchmarks.peers.apps.work import Work


class Api(litserve.LitAPI):  # type: ignore[misc]
    """The work of one worker, step by step as LitServe calls it."""

    def setup(self, device: str) -> None:
        """Loads the model."""
        self.work = Work.from_environ()

    def decode_request(self, request: Annotated[bytes, Body()]) -> bytes:
        """Takes the body as it is."""
        return request

    def predict(self, data: bytes) -> dict[str, Any]:
        """Answers one request."""
        return self.work.answer(data)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Leaves the answer to LitServe, which makes JSON of it."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(), accelerator="cpu", workers_per_device=int(sys.argv[2]), timeout=60
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning"
    )
