"""README is held against the code, and its commands are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier.bindings.http import STATUS_OF_ERROR
from image_classifier.settings import SETTINGS
from tests.servers import LocalHost

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/scale.md"]

# Commands that this module does not run, each with the reason.
ELSEWHERE = {
    "python3 dev.py start": "tests/test_dev.py starts it",
    "python3 dev.py live": "tests/test_dev.py starts it",
    "python3 dev.py test": "it would run this test again",
    "python -m tools.enqueue": "tests/tools/test_enqueue.py and tests/frontend fill queues",
    "python -m tools.drain_report": "tests/tools/test_drain_report.py does, with a queue",
    "cp local.settings.json.example local.settings.json": "it would change the checkout",
    "func start": "needs Azure Functions Core Tools",
    "mkdir -p models/pets/1": "tests/test_http_api.py adds a model to a copy of the app",
    "python -m tools.convert models/digits/1": "tests/tools/test_convert.py converts a copy",
    "python -m tools.package --engine onnx": "tests/tools/test_package_tool.py lays it out",
    "cd ../slim": "needs an Azure account",
    "cp ~/Downloads/export/model.pb": "as above",
    "curl --data-binary @cat.png": "as above",
    "az functionapp": "needs an Azure account",
    "func azure functionapp publish": "needs an Azure account",
    "curl -H 'x-functions-key: choose-a-long-one'": "needs an Azure account",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_limits_in_security_md_are_those_in_force() -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]*\| (\d+)", SECURITY, re.MULTILINE)
    http = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["http"]
    values = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    in_force = {name: str(value) for name, value in {**values, **http}.items()}

    assert len(rows) == 5
    assert {name: in_force[name] for name, _ in rows} == dict(rows)


def runs_elsewhere(command: str) -> bool:
    return any(command.startswith(start) for start in ELSEWHERE)


def table(heading: str) -> list[list[str]]:
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row] for row in rows[2:]]


def test_every_setting_is_in_the_table_with_its_default() -> None:
    documented = {row[0]: row[1] for row in table("Settings")}

    assert documented == {s.name: s.default or "(empty)" for s in SETTINGS}


def test_settings_of_the_host_are_in_their_table_with_what_the_example_has() -> None:
    section = README.split("### Settings of the host\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (.+?) \|", section, re.MULTILINE)
    documented = {name: value.strip("`").replace("(empty)", "") for name, value in rows}
    values = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    names = {setting.name for setting in SETTINGS} | {"FUNCTIONS_WORKER_RUNTIME"}

    assert documented == {name: value for name, value in values.items() if name not in names}


def test_every_error_is_in_the_table_with_its_status() -> None:
    documented = {(int(row[0]), row[1]) for row in table("Errors")}
    known = {(status, kind.__name__) for kind, status in STATUS_OF_ERROR.items()}

    assert documented == known | {(500, "InternalError")}


def test_every_route_is_documented() -> None:
    for path in ROOT.glob("*/function.json"):
        for binding in json.loads(path.read_text("utf-8"))["bindings"]:
            if binding["type"] == "httpTrigger":
                assert f"/{binding['route']}" in README


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_nothing_is_listed_as_run_elsewhere_that_readme_does_not_say() -> None:
    assert [start for start in ELSEWHERE if start not in README] == []


@pytest.mark.parametrize("command", [c for c in commands() if not runs_elsewhere(c)])
def test_readmes_commands_run_as_printed(command: str, host: LocalHost) -> None:
    if not shutil.which(command.split()[0]):
        pytest.skip(f"{command.split()[0]} is not installed")
    if "--json '" in command and not curl_knows_json():
        # Older curl (before 7.82) lacks the option: send what it stands for.
        command = command.replace("--json", "-H 'Content-Type: application/json' -d")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command.replace("http://localhost:7071", host.url)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if "seven.png" in command:
        assert json.loads(done.stdout)["predictedTagName"] == "7"


def curl_knows_json() -> bool:
    listed = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    return "--json" in listed.stdout
