"""Serves with BentoML: ``bentoml serve benchmarks.peers.apps.bentoml_service:Classify``."""

# No "from __future__ import annotations": BentoML reads the annotations of the method below.
import os
from typing import Any

import bentoml  # type: ignore[import-not-found]

from benchmarks.peers.apps.work import Work


@bentoml.service(workers=int(os.environ["PEER_WORKERS"]), traffic={"timeout": 60})
class Classify:
    """The service, with a model in each worker."""

    def __init__(self) -> None:
        self.work = Work.from_environ()

    @bentoml.api(route="/classify")  # type: ignore[untyped-decorator]
    def classify(self, image: bytes, /) -> dict[str, Any]:
        """Answers one request."""
        return self.work.answer(image)
