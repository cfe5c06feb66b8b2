"""The `az` commands of README and docs/scale.md: options that exist, and an app that works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from image_classifier.settings import SETTINGS
from tests.deploy.az_lines import Line, az_lines, faults
from tests.deploy.bicep_files import read_template

ROOT = Path(__file__).resolve().parents[2]


def section(page: str, heading: str) -> str:
    text = (ROOT / page).read_text("utf-8")
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


PAGES = {
    "README.md": section("README.md", "Deploy"),
    "docs/scale.md": section("docs/scale.md", "Flex Consumption"),
}
# Settings of api.bicep that these commands have no use for: az puts connection strings in their
# place, or the feature is one of `azd up` alone.
ONLY_WITH_AN_IDENTITY = {"FETCH_BLOB_IDENTITY", "FETCH_BLOB_CONTAINERS"}
each_page = pytest.mark.parametrize("page", PAGES)


def the(lines: list[Line], command: str) -> Line:
    [found] = [line for line in lines if line.command == command]
    return found


@each_page
def test_every_command_and_option_is_one_of_azure_cli(page: str) -> None:
    lines = az_lines(PAGES[page])

    assert len(lines) >= 5
    assert faults(lines) == []


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("--runtime-version", "--python-version", "has no --python-version"),
        ("--storage-account MYSTORAGE", "", "needs --storage-account"),
        ("az functionapp create", "az functionapp make", "az functionapp make is in no table"),
        ("--sku Standard_LRS", "--sku", "nothing follows --sku"),
    ],
)
def test_the_check_finds_what_azure_cli_would_refuse(right: str, wrong: str, words: str) -> None:
    assert right in PAGES["README.md"]
    found = faults(az_lines(PAGES["README.md"].replace(right, wrong)))

    assert [fault for fault in found if words in fault], found


@each_page
def test_what_a_command_uses_was_made_by_one_before_it(page: str) -> None:
    made: dict[str, set[str]] = {}
    for line in az_lines(PAGES[page]):
        name = line.value("--name")
        groups = {line.value("--resource-group")} if "--resource-group" in line.options else set()
        assert groups <= made.get("group", set()), line
        if "--storage-account" in line.options:
            assert line.value("--storage-account") in made["storage account"]
        kind, _, verb = line.command.rpartition(" ")
        if verb == "create":
            made.setdefault(kind, set()).add(name)
        else:
            assert name in made[kind.split(" ")[0]], line
    [app] = made["functionapp"]
    assert f"func azure functionapp publish {app}\n" in PAGES[page]
    assert len({*re.findall(r"--(?:flexconsumption-)?location (\S+)", PAGES[page])}) == 1


@each_page
def test_the_app_is_made_as_the_bicep_files_make_it(page: str) -> None:
    lines = az_lines(PAGES[page])
    main, api, storage = (
        read_template((ROOT / "deploy" / "azure" / f"{name}.bicep").read_text("utf-8"))
        for name in ("main", "api", "storage")
    )
    create = the(lines, "functionapp create")
    config = api.bodies["app"]["properties"]["functionAppConfig"]
    concurrency = config["scaleAndConcurrency"]["triggers"]["http"]["perInstanceConcurrency"]
    scale = the(lines, "functionapp scale config set")
    account = the(lines, "storage account create")

    assert create.value("--runtime") == config["runtime"]["name"]
    assert create.value("--runtime-version") == config["runtime"]["version"]
    assert int(create.value("--instance-memory")) == main.defaults["instanceMemoryMB"]
    assert int(create.value("--maximum-instance-count")) == main.defaults["maximumInstanceCount"]
    assert create.value("--flexconsumption-location") in main.decorators["location"]["allowed"]
    assert scale.value("--trigger-type") == "http"
    assert scale.value("--trigger-settings") == f"perInstanceConcurrency={concurrency}"
    assert account.value("--sku") == storage.bodies["account"]["sku"]["name"]
    properties = storage.bodies["account"]["properties"]
    assert account.value("--min-tls-version") == properties["minimumTlsVersion"]
    assert properties["allowBlobPublicAccess"] is False
    assert account.value("--allow-blob-public-access") == "false"


@each_page
def test_the_settings_are_those_of_the_bicep_files(page: str) -> None:
    api = read_template((ROOT / "deploy" / "azure" / "api.bicep").read_text("utf-8"))
    settings = the(az_lines(PAGES[page]), "functionapp config appsettings set").settings()
    of_bicep = {
        name: value
        for name, value in api.bodies["settings"]["properties"].items()
        # az makes the connections to storage and to Application Insights itself.
        if "__" not in name and not name.startswith("APPLICATIONINSIGHTS")
    }
    queue = {"AzureSignalRConnectionString", "AzureWebJobs.classify_queue.Disabled"} & set(settings)

    assert set(settings) - queue == set(of_bicep) - ONLY_WITH_AN_IDENTITY
    assert len(queue) == 1
    for name, value in settings.items():
        if name in of_bicep and name != "API_KEYS":
            assert value == of_bicep[name], name
    known = {setting.name for setting in SETTINGS}
    assert {name for name in settings if name.isupper()} - known == {
        "PYTHON_THREADPOOL_THREAD_COUNT",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
    }


def test_readme_leaves_the_queue_off_and_says_so() -> None:
    page = PAGES["README.md"]
    settings = the(az_lines(page), "functionapp config appsettings set").settings()
    disabled = "AzureWebJobs.classify_queue.Disabled"
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]

    assert settings[disabled] == "true"
    assert disabled in example  # the name is the one that the host knows
    assert "The queue and the live page are off" in page


def test_the_page_on_scale_brings_a_signalr_service_without_a_server() -> None:
    lines = az_lines(PAGES["docs/scale.md"])
    settings = the(lines, "functionapp config appsettings set").settings()

    assert the(lines, "signalr create").value("--service-mode") == "Serverless"
    assert settings["AzureSignalRConnectionString"].startswith("$(az signalr key list ")
    assert the(lines, "signalr key list").value("--query") == "primaryConnectionString"
    assert the(lines, "signalr key list").value("--output") == "tsv"
