"""Asks the app for every hostile image, in a process of its own that can be weighed and ended.

``python -m tests.support.hostile_images_process APP_ROOT`` prints one line of JSON for each image.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from pathlib import Path

from image_classifier import Classifier, Settings
from image_classifier.bindings import http
from image_classifier.bindings.classify import classify
from tests.support.builders import colour_image, request
from tests.support.hostile_images import HOSTILE_IMAGES

MEGABYTE = 2**20


def main(app_root: Path) -> None:
    settings = Settings.from_environ({"AZURE_FUNCTIONS_ENVIRONMENT": "Development"})
    classifier = Classifier(settings, app_root=app_root)
    for kind in ("PNG", "WEBP", "TIFF", "JPEG"):  # what is loaded once is not the images' doing
        ask(classifier, colour_image("red", (2000, 2000), kind=kind))
    gc.freeze()  # TensorFlow's many objects, which would be looked through for each image
    for name, (make, _) in HOSTILE_IMAGES.items():
        data = make()
        print(json.dumps({"name": name, "started": True}), flush=True)
        before = forget_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        status, code = ask(classifier, data)
        report = {
            "name": name,
            "bytes": len(data),
            "status": status,
            "code": code,
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "megabytes": None if before is None else (memory("VmHWM") - before) / MEGABYTE,
        }
        print(json.dumps(report), flush=True)
        del data


def ask(classifier: Classifier, data: bytes) -> tuple[int, str | None]:
    # Anything may be called octets; without a body the request would ask for nothing.
    req = request("POST", body=data, headers={"content-type": "application/octet-stream"})
    if not data:
        req = request("POST", body=b'{"image": ""}', headers={"content-type": "application/json"})
    response = http.answer(req, classify, service=classifier, function="classify", methods="POST")
    body = json.loads(response.get_body())
    return response.status_code, body.get("error", {}).get("code")


def forget_peak() -> int | None:
    """Starts the measuring of the peak anew; gives the memory in use, or None outside Linux."""
    if sys.platform != "linux":
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(line: str) -> int:
    """VmRSS (now) or VmHWM (most so far), in bytes."""
    for text in Path("/proc/self/status").read_text("ascii").splitlines():
        if text.startswith(line):
            return int(text.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {line}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
