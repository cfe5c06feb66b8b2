"""docs/migrate-from-custom-vision.md, walked from top to bottom as its reader would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import colour_image
from tests.support.custom_vision_client.node_client import FOLDER, install_sdk
from tests.support.custom_vision_exports import LABELS, general_graph, manifest
from tests.support.servers import LocalHost, clean_environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "migrate-from-custom-vision.md").read_text("utf-8")
PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
KEY = "a-key-for-the-page"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands(start: str) -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader stands: an export as the portal gives it, and some images."""
    folder = tmp_path_factory.mktemp("reader")
    graph = general_graph()
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("model.pb", graph)
        archive.writestr("labels.txt", "\n".join(LABELS))
        archive.writestr("cvexport.manifest", manifest(graph))
    (folder / "cat.png").write_bytes(colour_image("red"))
    (folder / "images").mkdir()
    for colour in ("red", "green", "blue"):
        (folder / "images" / f"{colour}.png").write_bytes(colour_image(colour, (300, 200)))
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[LocalHost]:
    """The app, with the model that the page's second step has added."""
    (command,) = commands("python -m tools.add_model")
    done = shell(command.replace("~/Downloads/", ""), folder)

    assert done.returncode == 0, done.stderr
    assert "Red" in done.stdout
    assert (folder / "models" / "pets" / "1" / "model.pb").is_file()
    env = {"MODELS_DIR": str(folder / "models"), "API_KEYS": KEY, "DEFAULT_MODEL": "pets"}
    with LocalHost(env={**env, "FETCH_ALLOW_PRIVATE_ADDRESSES": "true"}) as running:
        yield running


def shell(command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    python = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=clean_environment({"PATH": python, "PYTHONPATH": str(ROOT), **env}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def with_the_readers_own(text: str, app: LocalHost) -> str:
    """What the page leaves for its reader to fill in."""
    for theirs in ("https://MY-APP.azurewebsites.net", "http://localhost:7071"):
        text = text.replace(theirs, app.url)
    text = text.replace("https://example.com/cat.png", f"{app.url}/samples/seven.png")
    return text.replace("PROJECT-ID", PROJECT).replace("KEY", KEY)


def test_curl_gets_an_answer_from_every_command(app: LocalHost, folder: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    asked = commands("curl")
    for command in asked:
        ready = with_the_readers_own(command, app)
        # Older curl lacks --json; the app wants a key here, which the page sets up later.
        ready = ready.replace("--json", "-H 'Content-Type: application/json' -d")
        if "Prediction-Key" not in ready:
            ready = ready.replace("curl ", f"curl -H 'Prediction-Key: {KEY}' ", 1)
        done = shell(ready, folder)
        answer = json.loads(done.stdout)
        assert "predictions" in answer, (ready, answer)
        assert "/url" in command or answer["predictions"][0]["tagName"] == "Red"
    assert len(asked) == 3


def test_the_python_program_runs_as_printed(app: LocalHost, folder: Path) -> None:
    (program,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", with_the_readers_own(program, app)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.stdout.split()[:1] == ["Red"], done.stderr


def test_the_javascript_program_runs_as_printed(app: LocalHost, folder: Path) -> None:
    install_sdk()
    (program,) = blocks("js")
    (folder / "program.mjs").write_text(with_the_readers_own(program, app))
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    done = subprocess.run(
        ["node", "program.mjs"], cwd=folder, capture_output=True, text=True, timeout=120
    )

    assert done.stdout.split()[:1] == ["Red"], done.stderr


def test_the_two_endpoints_are_compared_by_the_command(app: LocalHost, folder: Path) -> None:
    (command,) = commands("python -m tools.compare")
    ready = command.replace("https://REGION.api.cognitive.microsoft.com", app.url)
    ready = with_the_readers_own(ready, app) + " --rate 50"
    done = shell(ready, folder, PREDICTION_KEY_A=KEY, PREDICTION_KEY_B=KEY)

    assert done.returncode == 0, done.stderr
    assert "3 of 3" in done.stdout
    assert (folder / "comparison" / "comparison.svg").is_file()


def test_the_mapping_on_the_page_is_one_that_the_app_takes(folder: Path, app: LocalHost) -> None:
    (setting,) = [block for block in blocks("text") if "CUSTOM_VISION_MODELS=" in block]
    value = setting.strip().partition("=")[2]
    env = {"MODELS_DIR": str(folder / "models"), "CUSTOM_VISION_MODELS": value}
    with LocalHost(env=env) as host:
        path = f"{host.url}/customvision/v3.0/Prediction/{PROJECT}/classify/iterations"
        done = shell(f"curl -s --data-binary @cat.png {path}/production/image", folder)

    assert json.loads(done.stdout)["predictions"][0]["tagName"] == "Red"
