"""Asks a model server once.

    python -m benchmarks.baselines.client_process old|new PORT FILE

It prints the probabilities and stays, so that its memory can be read.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

__all__ = ["KINDS", "client_of"]

ADDRESS = "127.0.0.1"
KINDS = ("old", "new")


def client_of(kind: str, port: int) -> Any:
    """Returns the old client or the new one; only that one is imported."""
    if kind == "old":
        from benchmarks.baselines.accelerated_models_client import old_client

        return old_client().PredictionClient(ADDRESS, port)
    from image_classifier_client import PredictionClient

    return PredictionClient(ADDRESS, port)


def main(kind: str, port: str, file: str) -> None:
    print(json.dumps(client_of(kind, int(port)).score_file(file).tolist()), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
