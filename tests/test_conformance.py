"""Microsoft's own Python runtime loads every function folder and calls the HTTP functions.

The runtime needs Python 3.13 and an environment of its own (its wheel brings a package `tests`), so
this drives `../shared/tools/conformance.py` there, in a process of its own.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

import dev
from tests.app_tree import ROOT, function_folders

DRIVER = ROOT.parent / "shared" / "tools" / "conformance.py"
SAMPLES = ROOT / "frontend" / "samples"
TIMEOUT_SECONDS = 300


class Sample(NamedTuple):
    file: Path
    label: str


def a_sample() -> Sample:
    first = json.loads((SAMPLES / "samples.json").read_text("utf-8"))[0]
    return Sample(SAMPLES / first["file"], first["label"])


@pytest.fixture(scope="module")
def runtime_python() -> Path:
    if not DRIVER.is_file():
        pytest.skip("../shared/tools/conformance.py is not beside this checkout")
    python = dev.conformance_python()
    if python is None:
        pytest.skip(f"no Python {dev.CONFORMANCE_VERSION}, which Microsoft's runtime needs")
    return python


def cases() -> list[tuple[str, dict[str, Any]]]:
    """What is asked of which function, in this order."""
    small = io.BytesIO()
    with Image.open(a_sample().file) as image:
        # The driver takes the body as an argument, which the system limits to 128 KB.
        image.thumbnail((280, 280))
        image.convert("RGB").save(small, "JPEG", quality=90)
    picture = base64.b64encode(small.getvalue()).decode()
    post = {
        "url": "http://localhost:7071/api/classify",
        "method": "POST",
        "headers": {"Content-Type": "application/json"},
    }
    return [
        ("classify", {**post, "body": json.dumps({"image": picture}), "expect": {"status": 200}}),
        ("classify", {**post, "expect": {"status": 400}}),
        ("classify", {"method": "OPTIONS", "expect": {"status": 204}}),
        ("status", {"expect": {"status": 200}}),
    ]


@pytest.fixture(scope="module")
def report(runtime_python: Path) -> list[dict[str, Any]]:
    """What the driver says: one line for each load and each call."""
    # The demo model whatever the developer's own settings and models are.
    command = [str(runtime_python), str(DRIVER), str(ROOT), "--json"]
    for setting in ("MODELS_DIR=models", "DEFAULT_MODEL=digits", "API_KEYS="):
        command += ["--set", setting]
    for function, case in cases():
        command += ["--case", f"{function}:{json.dumps(case)}"]
    environment = {**os.environ, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    assert lines, done.stderr
    assert [line for line in lines if not line["ok"]] == [], done.stderr
    assert done.returncode == 0, done.stderr
    return lines


def answers(report: list[dict[str, Any]], function: str) -> list[dict[str, Any]]:
    return [line["answer"]["return"] for line in report if line["what"] == f"call {function}"]


def test_every_function_loads(report: list[dict[str, Any]]) -> None:
    loaded = {line["what"] for line in report if line["what"].startswith("load ")}

    assert loaded == {f"load {folder.name}" for folder in function_folders()}


def test_posted_image_gets_its_tag(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[0]

    assert answer["status"] == 200
    assert json.loads(answer["body"])["predictedTagName"] == a_sample().label


def test_missing_image_is_400(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[1]

    assert answer["status"] == 400
    assert json.loads(answer["body"])["error"]["code"] == "InvalidRequest"


def test_preflight_is_answered(report: list[dict[str, Any]]) -> None:
    answer = answers(report, "classify")[2]

    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert answer["status"] == 204
    assert headers["access-control-allow-origin"] == "*"


def test_status_says_ready(report: list[dict[str, Any]]) -> None:
    (answer,) = answers(report, "status")

    assert answer["status"] == 200
    assert json.loads(answer["body"])["status"] == "ready"
