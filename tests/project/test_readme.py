"""README is held against the code, and its commands are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from operator import itemgetter
from pathlib import Path

import pytest

from image_classifier.bindings.http import STATUS_OF_ERROR
from image_classifier.settings import SETTINGS
from tests.support.model_servers import ModelServer
from tests.support.servers import LocalHost

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/scale.md"]
PAGES += ["docs/tensorflow-serving.md", "docs/examples.md", "docs/migrate-from-custom-vision.md"]
PAGES += ["docs/accelerated-clients.md", "image_classifier_client/README.md"]
PAGES += ["docs/observability.md"]
PAGES += ["docs/zoo.md"]
PAGES += ["docs/models.md"]
PAGES += [
    "docs/deploy.md",
    "docs/tensorflow-serving.md",
    "docs/examples.md",
    "docs/migrate-from-custom-vision.md",
]

# Commands that this module does not run, each with the reason.
ELSEWHERE = {
    "python3 dev.py start": "tests/project/test_dev.py starts it",
    "python3 dev.py live": "tests/project/test_dev.py starts it",
    "python3 dev.py test": "it would run this test again",
    "python -m tools.enqueue": "tests/tools/test_enqueue.py and tests/frontend fill queues",
    "python -m tools.drain_report": "tests/tools/test_drain_report.py does, with a queue",
    "cp local.settings.json.example local.settings.json": "it would change the checkout",
    "python -m model_server --port 8500": "test_the_servers_commands_run_as_printed below",
    "func start": "needs Azure Functions Core Tools",
    "python -m tools.add_model": "tests/project/test_migration_page.py adds one",
    "python -m tools.convert models/digits/1": "tests/tools/test_convert.py converts a copy",
    "python -m tools.package --engine onnx": "tests/tools/test_package.py lays it out",
    "cd ../slim": "needs an Azure account",
    "curl --data-binary @cat.png": "test_migration_page.py asks for a model it has added",
    "az group create": "needs an Azure account",
    "az storage account create": "needs an Azure account",
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
    done = run_in_shell(command.replace("http://localhost:7071", host.url))

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if ":predict" in command:
        assert json.loads(done.stdout) == {"predictions": ["9"]}
    elif "/customvision/" in command:
        assert json.loads(done.stdout)["predictions"][0]["tagName"] == "7"
    elif command.endswith("/image"):
        best = max(json.loads(done.stdout)["predictions"], key=itemgetter("probability"))
        assert best["tagName"] == "7"
    elif "seven.png" in command:
        assert json.loads(done.stdout)["predictedTagName"] == "7"


@pytest.mark.tensorflow
def test_the_servers_commands_run_as_printed() -> None:
    """Those of docs/tensorflow-serving.md, in order, on other ports: the server, curl, Python."""
    page = (ROOT / "docs" / "tensorflow-serving.md").read_text("utf-8")
    start = "python -m model_server --port 8500 --rest_api_port 8501"
    assert start in page and start in README
    model = "--model_name digits --model_base_path models/digits"
    assert f"{start} {model}" in page and f"{start} {model}" in README
    shell = [
        line
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    clients = re.findall(r"`(python -m examples\.client [^`]+)`", page)
    with ModelServer(*model.split(" "), rest=True) as server:
        for command in [*(line for line in shell if not line.startswith(start)), *clients]:
            command = command.replace("http://localhost:8501", server.rest_url)
            command = command.replace("examples.client", f"examples.client --port {server.port}")
            done = run_in_shell(command)
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip()
        python = program.replace("localhost:8500", server.address)
        done = subprocess.run(
            [sys.executable, "-c", python], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.stdout.split() == ["9"], done.stderr


def test_the_example_pages_commands_are_those_of_the_programs() -> None:
    """tests/examples runs the programs; here the command lines are only parsed."""
    page = (ROOT / "docs" / "examples.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    named = set(re.findall(r"python -m (?:examples|tools)\.(\w+)", "\n".join(blocks)))

    programs = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"__init__", "common"}
    assert named == programs | {"export"}


def run_in_shell(command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def curl_knows_json() -> bool:
    listed = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    return "--json" in listed.stdout
