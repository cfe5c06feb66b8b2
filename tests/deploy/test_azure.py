"""deploy/azure, as far as it can be checked without Azure and without Bicep's compiler."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from image_classifier.settings import SETTINGS, Settings
from tests.deploy.bicep_files import Template, faults, read_template
from tools.list_package import list_package

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "azure"
SOURCES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.bicep"))}
API = SOURCES["api.bicep"]
# What Flex Consumption refuses; it has properties in their place.
NOT_ON_FLEX = {
    "AzureWebJobsStorage",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_RUN_FROM_PACKAGE",
}
# The built-in roles that are given, by the ids that Microsoft's list has.
ROLES = {
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "7e4f1700-ea5a-4f59-8f37-079cfe29dce3": "SignalR Service Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
}


def templates(changed: dict[str, str] | None = None) -> dict[str, Template]:
    return {name: read_template(text) for name, text in {**SOURCES, **(changed or {})}.items()}


def app_settings() -> dict[str, str]:
    block = API.split("name: 'appsettings'\n    properties: {\n")[1].split("\n    }\n")[0]
    return dict(line.strip().split(": ", 1) for line in block.splitlines())


def bindings() -> list[dict[str, str]]:
    return [
        binding
        for path in ROOT.glob("*/function.json")
        for binding in json.loads(path.read_text("utf-8"))["bindings"]
    ]


def test_the_files_are_bicep_and_their_names_fit_together() -> None:
    assert len(SOURCES) == 8
    assert faults(templates()) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        ("main.bicep", "location: webLocation", "location: weblocation", "weblocation is not decl"),
        ("main.bicep", "    pageUri: web.outputs.uri\n", "", "signalr needs pageUri"),
        ("main.bicep", "apiKeys: apiKeys", "apiKey: apiKeys", "vault has no parameter apiKey"),
        ("main.bicep", "vault.outputs.apiKeysUri", "vault.outputs.uri", "has no output uri"),
        ("main.bicep", "'web.bicep'", "'pages.bicep'", "there is no pages.bicep"),
        ("api.bicep", "instanceMemoryMB: instanceMemoryMB", "memory: 2048", "MB is not used"),
        ("web.bicep", "properties: {}", "properties: {", "line "),
    ],
)
def test_the_check_finds_what_does_not_fit(file: str, right: str, wrong: str, words: str) -> None:
    assert right in SOURCES[file]
    found = faults(templates({file: SOURCES[file].replace(right, wrong)}))

    assert [fault for fault in found if words in fault], found


def test_azd_asks_for_what_is_secret_and_knows_the_rest() -> None:
    document = json.loads((FOLDER / "main.parameters.json").read_text("utf-8"))
    given = set(document["parameters"])
    needed = {name for name, must in templates()["main.bicep"].parameters.items() if must}

    assert given <= set(templates()["main.bicep"].parameters)
    assert needed - given == {"apiKeys"}
    assert re.search(r"@secure\(\)(\n@.*)*\nparam apiKeys string\n", SOURCES["main.bicep"])
    assert re.search(r"@secure\(\)\nparam apiKeys string\n", SOURCES["vault.bicep"])


def test_no_key_is_in_any_setting_nor_could_open_anything() -> None:
    whole = "\n".join(SOURCES.values())
    settings = app_settings()

    assert not re.search(r"list\w*Keys|AccountKey|AccessKey=|InstrumentationKey", whole)
    assert settings["API_KEYS"] == "'@Microsoft.KeyVault(SecretUri=${apiKeysUri})'"
    assert "apiKeys" not in templates()["api.bicep"].parameters
    for switch in (
        "allowSharedKeyAccess: false",
        "allowBlobPublicAccess: false",
        "disableLocalAuth: true",
        "DisableLocalAuth: true",
        "enableRbacAuthorization: true",
        "httpsOnly: true",
        "minimumTlsVersion: 'TLS1_2'",
        "minTlsVersion: '1.2'",
        "ftpsState: 'Disabled'",
    ):
        assert whole.count(switch) == 1, switch


def test_every_connection_of_a_binding_goes_by_the_identity() -> None:
    settings = app_settings()
    connections = {each["connection"] for each in bindings() if "connection" in each}
    names = {each.get("connectionStringSetting") for each in bindings()} - {None}

    assert connections == {"AzureWebJobsStorage"}
    assert names == {"AzureSignalRConnectionString"}
    for name, address in (
        ("AzureWebJobsStorage", "accountName"),
        ("AzureSignalRConnectionString", "serviceUri"),
    ):
        assert name not in settings
        assert f"{name}__{address}" in settings
        assert settings[f"{name}__credential"] == "'managedidentity'"
        assert settings[f"{name}__clientId"] == "identityClientId"


def test_the_settings_are_known_and_the_app_starts_with_them() -> None:
    settings = app_settings()
    ours = {setting.name for setting in SETTINGS}
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    others = {name for name in settings if name not in ours and "__" not in name}
    environ = {name: value.strip("'") for name, value in settings.items()}
    azures_own = {"IDENTITY_ENDPOINT": "http://x/", "API_KEYS": "what the reference stands for"}
    started = Settings.from_environ(
        environ | {"AzureWebJobsStorage__accountName": "stabc"} | azures_own
    )

    assert not set(settings) & NOT_ON_FLEX
    assert {name for name in others if not name.startswith("APPLICATIONINSIGHTS")} <= set(example)
    for name in others & set(example):
        assert environ[name] == example[name]
    assert started.own_blobs is not None
    assert started.own_blobs.host == "stabc.blob.core.windows.net"
    assert started.own_blobs.client_id == "identityClientId"


def test_the_queues_are_those_that_the_functions_name() -> None:
    text = SOURCES["storage.bicep"]
    made = set(re.findall(r"'queues' = \{\n\s+name: '([\w-]+)'", text))

    assert made == {each["queueName"] for each in bindings() if "queueName" in each}


def test_the_roles_are_those_of_the_list_and_every_resource_gives_its_own() -> None:
    ids = re.compile(r"'([0-9a-f]{8}-[0-9a-f-]{27})'")
    given = {file: set(ids.findall(text)) for file, text in SOURCES.items()}

    assert set().union(*given.values()) == set(ROLES)
    for file in ("storage.bicep", "vault.bicep", "signalr.bicep", "monitoring.bicep"):
        assert given[file], file
        assert "Microsoft.Authorization/roleAssignments@2022-04-01" in SOURCES[file]


def test_limits_are_those_of_host_json() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    concurrency = host["extensions"]["http"]["maxConcurrentRequests"]

    assert f"perInstanceConcurrency: {concurrency} " in API


def test_azure_yaml_names_services_that_are_there() -> None:
    """Its keys against those that azd's schema has for them; the schema is in no registry."""
    document = yaml.safe_load((FOLDER / "azure.yaml").read_text("utf-8"))
    known = {"project", "language", "host", "dist", "hooks", "remoteBuild"}
    hosts = {"api": "function", "web": "staticwebapp"}

    assert set(document) == {"name", "infra", "services"}
    assert document["infra"] == {"provider": "bicep", "path": ".", "module": "main"}
    assert (FOLDER / f"{document['infra']['module']}.bicep").is_file()
    assert {name: each["host"] for name, each in document["services"].items()} == hosts
    for name, service in document["services"].items():
        assert set(service) <= known
        assert (FOLDER / service["project"]).is_dir()
        assert f"'azd-service-name': '{name}'" in "\n".join(SOURCES.values())
    assert (FOLDER / document["services"]["api"]["project"] / "host.json").is_file()


def test_azd_packs_what_core_tools_packs() -> None:
    """Core Tools reads .funcignore in its own way, azd as Git would: both must come to the same."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout")
    files = subprocess.run(
        [git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    exclude = ["-c", f"core.excludesFile={ROOT / '.funcignore'}"]
    ignored = subprocess.run(
        [git, *exclude, "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input=files,
        capture_output=True,
        text=True,
    ).stdout
    packed = set(files.split("\n")) - set(ignored.split("\n")) - {""}
    tracked = set(files.split("\n"))
    by_core_tools = {path.as_posix() for path in list_package(ROOT)} & tracked

    # Git's rule for *.md holds at any depth.
    assert by_core_tools - packed == {path for path in by_core_tools if path.endswith(".md")}
    assert packed <= by_core_tools


def test_the_page_is_laid_out_for_the_static_site(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js")
    (tmp_path / "deploy" / "azure").mkdir(parents=True)
    shutil.copy(FOLDER / "page.mjs", tmp_path / "deploy" / "azure")
    ignore = shutil.ignore_patterns("node_modules", "vendor", "dist")
    frontend = shutil.copytree(ROOT / "frontend", tmp_path / "frontend", ignore=ignore)
    (frontend / "vendor").mkdir()
    (frontend / "vendor" / "vue.global.prod.js").write_text("x")
    (frontend / "node_modules").mkdir()
    for _ in range(2):  # a second run starts anew
        (frontend / "dist").mkdir(exist_ok=True)
        (frontend / "dist" / "old.html").write_text("x")
        subprocess.run([node, "../deploy/azure/page.mjs"], cwd=frontend, check=True)
    laid_out = {path.name for path in (frontend / "dist").iterdir()}

    not_served = {".npmrc", "README.md", "package.json", "package-lock.json", "vendor.mjs"}
    assert laid_out == {"samples", "vendor"} | {
        # By what is left out, so that a new kind of file is not forgotten.
        path.name
        for path in frontend.iterdir()
        if path.is_file() and path.name not in not_served
    }
    assert {"index.html", "live.html", "api.js", "openapi.json"} <= laid_out
