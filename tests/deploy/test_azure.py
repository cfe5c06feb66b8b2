"""deploy/azure, as far as it can be checked without Azure and without Bicep's compiler."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from image_classifier.settings import SETTINGS, Settings
from tests.deploy.bicep_files import Expression, Template, faults, read_template
from tools.list_package import list_package
from tools.package import MARKER, WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "azure"
SOURCES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.bicep"))}
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
# Of the worker, for Pythons that nobody needs to choose: the example for laptops may leave it out.
OF_THE_WORKER = {"PYTHON_ISOLATE_WORKER_DEPENDENCIES"}
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


def app() -> Template:
    return templates()["api.bicep"]


def app_settings() -> dict[str, str]:
    settings: dict[str, str] = app().bodies["settings"]["properties"]
    return settings


def azure_yaml() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / "azure.yaml").read_text("utf-8"))
    return document


def bindings() -> list[dict[str, str]]:
    return [
        binding
        for path in ROOT.glob("*/function.json")
        for binding in json.loads(path.read_text("utf-8"))["bindings"]
    ]


def test_the_files_are_bicep_and_their_names_fit_together() -> None:
    assert len(SOURCES) == 9
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
        ("main.bicep", "amount: budgetAmount, ", "", "budget needs amount"),
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
    assert settings["API_KEYS"] == "@Microsoft.KeyVault(SecretUri=${apiKeysUri})"
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
    for name, addresses in (
        ("AzureWebJobsStorage", ("blobServiceUri", "queueServiceUri", "tableServiceUri")),
        ("AzureSignalRConnectionString", ("serviceUri",)),
    ):
        wanted = {f"{name}__{each}" for each in (*addresses, "credential", "clientId")}
        assert {key for key in settings if key.startswith(name)} == wanted
        assert settings[f"{name}__credential"] == "managedidentity"
        assert settings[f"{name}__clientId"] == Expression("identityClientId")


def test_the_storage_services_are_those_of_the_account() -> None:
    """As Microsoft's own templates have them: they are right in every cloud."""
    text = SOURCES["storage.bicep"]
    for service in ("blob", "queue", "table"):
        output = f"{service}ServiceUri"
        assert f"output {output} string = account.properties.primaryEndpoints.{service}\n" in text
        assert f"    {output}: storage.outputs.{output}\n" in SOURCES["main.bicep"]
        given = app_settings()[f"AzureWebJobsStorage__{output}"]
        assert given == output and isinstance(given, Expression)


def test_no_password_opens_the_deployment() -> None:
    api = app()
    policies = {
        api.bodies[name]["name"]: api.bodies[name]["properties"]
        for name, kind in api.resources.items()
        if kind == "basicPublishingCredentialsPolicies"
    }

    assert policies == {"ftp": {"allow": False}, "scm": {"allow": False}}


def test_the_app_fetches_only_from_the_container_for_that() -> None:
    storage = templates()["storage.bicep"]
    containers = {
        storage.bodies[name]["name"]
        for name, kind in storage.resources.items()
        if kind == "containers"
    }
    settings = app_settings()

    assert containers == {"packages", "pictures"}
    assert settings["FETCH_BLOB_IDENTITY"] == "true"
    assert settings["FETCH_BLOB_CONTAINERS"] == "pictures"


def test_python_is_3_13_and_an_older_worker_would_keep_its_protobuf_apart() -> None:
    runtime = app().bodies["app"]["properties"]["functionAppConfig"]["runtime"]

    assert runtime == {"name": "python", "version": "3.13"}
    assert app_settings()["PYTHON_ISOLATE_WORKER_DEPENDENCIES"] == "1"


def test_the_settings_are_known_and_the_app_starts_with_them() -> None:
    settings = app_settings()
    ours = {setting.name for setting in SETTINGS}
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    others = {name for name in settings if name not in ours and "__" not in name}
    of_azure = {
        "IDENTITY_ENDPOINT": "http://x/",
        "API_KEYS": "what the reference stands for",
        "AzureWebJobsStorage__blobServiceUri": "https://stabc.blob.core.windows.net/",
    }
    started = Settings.from_environ(settings | of_azure)

    assert not set(settings) & NOT_ON_FLEX
    assert {name for name in others if not name.startswith("APPLICATIONINSIGHTS")} <= {
        *example,
        *OF_THE_WORKER,
    }
    for name in others & set(example):
        assert settings[name] == example[name]
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
    scale = app().bodies["app"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]

    assert scale["triggers"]["http"] == {
        "perInstanceConcurrency": host["extensions"]["http"]["maxConcurrentRequests"]
    }


def test_the_region_is_one_that_azd_offers_and_flex_consumption_has() -> None:
    decorators = templates()["main.bicep"].decorators["location"]

    assert decorators["metadata"] == {"azd": {"type": "location"}}
    assert len(decorators["allowed"]) == len(set(decorators["allowed"])) > 25
    assert {"westeurope", "eastus", "southeastasia"} <= set(decorators["allowed"])
    assert not {region for region in decorators["allowed"] if region.endswith("euap")}


def test_the_limit_of_instances_is_said_to_hold_for_each_group_and_not_to_bound_a_cost() -> None:
    main = templates()["main.bicep"].decorators["maximumInstanceCount"]
    scale = app().bodies["app"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *FOLDER.glob("*.bicep")]
    sentences = [
        " ".join(sentence.split())
        for page in pages
        for sentence in re.split(r"[.:;]\s|\n\n|\n\* ", page.read_text("utf-8"))
        if re.search("maximum-?instance-?count", sentence, re.IGNORECASE)
    ]
    calls_it_a_bound = re.compile(
        r"\b(bounds?|caps?) (on |what |the )?.*(cost|spend)", re.IGNORECASE
    )

    assert (main["minValue"], main["maxValue"]) == (40, 1000)
    assert "each function group" in main["description"]
    assert scale["maximumInstanceCount"] == Expression("maximumInstanceCount")
    assert len(sentences) > 5
    assert calls_it_a_bound.search(
        "maximumInstanceCount and maxReplicas bound what others can spend"
    )
    assert [each for each in sentences if calls_it_a_bound.search(each)] == []


def test_a_budget_is_made_only_when_it_is_asked_for() -> None:
    main, budget = templates()["main.bicep"], templates()["budget.bicep"]
    names = {"budgetAmount", "budgetEmails", "budgetFirstMonth"}
    document = json.loads((FOLDER / "main.parameters.json").read_text("utf-8"))["parameters"]
    body = budget.bodies["budget"]["properties"]

    assert all(name in main.conditions["budget"] for name in names)
    assert {name for name in names if not main.parameters[name]} == names  # each has a default
    assert {document[name]["value"] for name in names} == {
        "${BUDGET_AMOUNT}",
        "${BUDGET_EMAILS}",
        "${BUDGET_FIRST_MONTH}",
    }
    # A forgotten one is a mistake to be told, not a budget that is not there.
    assert all("minLength" in budget.decorators[name] for name in budget.parameters)
    assert "utcNow" not in budget.called  # Azure refuses to change the first month
    assert (body["category"], body["timeGrain"]) == ("Cost", "Monthly")
    assert body["amount"] == Expression("int(amount)")
    for told in body["notifications"].values():
        assert told["enabled"] is True
        assert told["contactEmails"] == Expression("contacts")
        assert (told["operator"], told["thresholdType"]) in {
            ("GreaterThan", "Actual"),
            ("GreaterThan", "Forecasted"),
        }


def test_azure_yaml_names_services_that_are_there() -> None:
    """Its keys against those that azd's schema has for them; the schema is in no registry."""
    document = azure_yaml()
    known = {"project", "language", "host", "dist", "hooks", "remoteBuild"}
    hosts = {"api": "function", "web": "staticwebapp"}

    assert set(document) == {"name", "requiredVersions", "infra", "services"}
    assert document["requiredVersions"] == {"azd": ">= 1.23.5"}
    assert document["infra"] == {"provider": "bicep", "path": ".", "module": "main"}
    assert (FOLDER / f"{document['infra']['module']}.bicep").is_file()
    assert {name: each["host"] for name, each in document["services"].items()} == hosts
    for name, service in document["services"].items():
        assert set(service) <= known
        # A hook runs here, and a fresh clone has it.
        assert (FOLDER / service["project"]).is_dir()
        assert f"'azd-service-name': '{name}'" in "\n".join(SOURCES.values())
        hook = service["hooks"]["prepackage"]
        assert (hook["posix"]["shell"], hook["windows"]["shell"]) == ("sh", "pwsh")
    assert document["services"]["api"]["remoteBuild"] is True


def clone(target: Path) -> Path:
    """What a clone has, with the changes that are not committed yet."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout")
    listed = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def bare_python(folder: Path, name: str) -> dict[str, str]:
    """An environment whose only program is Python by this name, with nothing installed into it."""
    folder.mkdir()
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec "{os.path.realpath(sys.executable)}" -S -E "$@"\n')
    program.chmod(0o755)
    return {"PATH": str(folder)}


def run_the_hook(
    checkout: Path, environ: dict[str, str]
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """As azd runs it: in the service's `project`, by sh with `set -e`."""
    service = azure_yaml()["services"]["api"]
    project = checkout / "deploy" / "azure" / service["project"]
    script = "set -e\n" + service["hooks"]["prepackage"]["posix"]["run"]
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, (project / service["dist"]).resolve()


posix_only = pytest.mark.skipif(os.name == "nt", reason="the hook for Windows is PowerShell")


@posix_only
@pytest.mark.parametrize("name", ["python3", "python"])
def test_the_hook_lays_out_the_slim_app_with_a_bare_python(tmp_path: Path, name: str) -> None:
    checkout = clone(tmp_path / "clone")
    environ = bare_python(tmp_path / "bin", name)
    trap = [str(tmp_path / "bin" / name), "-c", "import numpy"]
    assert subprocess.run(trap, capture_output=True, check=False).returncode != 0
    for left_over in ("", "model.pb"):  # a second run starts anew
        done, package = run_the_hook(checkout, environ)
        assert done.returncode == 0, done.stderr
        laid_out = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
        if left_over:
            assert Path(left_over) not in laid_out
        (package / "model.pb").write_bytes(b"old")

    assert package == checkout / "deploy" / "azure" / ".package"
    # azd packs the folder but for its .funcignore, which has no rule.
    published = list_package(checkout)
    others = {name for names in WEIGHTS.values() for name in names} - set(WEIGHTS["onnx"])
    assert laid_out - {MARKER} == {path for path in published if path.name not in others}
    assert {Path("host.json"), Path("requirements.txt"), Path("classify/function.json")} <= laid_out
    assert "tensorflow" not in (package / "requirements.txt").read_text("utf-8")


@posix_only
def test_one_setting_brings_tensorflow_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    checkout = clone(tmp_path / "clone")
    environ = bare_python(tmp_path / "bin", "python3")

    done, package = run_the_hook(checkout, environ | {"PACKAGE_ENGINE": "tensorflow"})
    assert done.returncode == 0, done.stderr
    assert "\ntensorflow-cpu==" in (package / "requirements.txt").read_text("utf-8")
    assert (package / "models" / "digits" / "1" / "model.pb").is_file()
    done, package = run_the_hook(checkout, environ | {"PACKAGE_ENGINE": "auto"})
    assert done.returncode == 0, done.stderr
    assert (package / "requirements.txt").read_bytes() == (ROOT / "requirements.txt").read_bytes()
    done, package = run_the_hook(checkout, environ | {"PACKAGE_ENGINE": "torch"})
    assert done.returncode != 0
    assert "'torch'" in done.stderr
    assert (package / "host.json").is_file()


def test_the_hook_for_windows_does_the_same(tmp_path: Path) -> None:
    hooks = azure_yaml()["services"]["api"]["hooks"]["prepackage"]
    posix, windows = (
        re.sub(r'"?\$(\{PACKAGE_ENGINE:-onnx\}|engine)"?', "ENGINE", hooks[system]["run"])
        for system in ("posix", "windows")
    )
    call = "-m tools.package --engine ENGINE --replace deploy/azure/.package\n"

    assert posix.endswith(f'"$python" {call}')
    assert windows.endswith(f"& $python {call}")
    assert "if ($env:PACKAGE_ENGINE) { $env:PACKAGE_ENGINE } else { 'onnx' }" in windows
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("its words are right; there is no PowerShell to run it")
    checkout = clone(tmp_path / "clone")
    script = "$ErrorActionPreference = 'Stop'\n" + hooks["windows"]["run"]
    subprocess.run([pwsh, "-NoProfile", "-Command", script], cwd=checkout, check=True)
    assert (checkout / "deploy" / "azure" / ".package" / "host.json").is_file()


def test_the_page_names_what_azd_needs_and_the_variables_that_the_files_read() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    ours = page.split("\n## Azure, with azd\n", 1)[1].split("\n## ", 1)[0]
    parameters = json.loads((FOLDER / "main.parameters.json").read_text("utf-8"))["parameters"]
    read = {each["value"].strip("${}") for each in parameters.values()}
    read |= set(re.findall(r"\$\{(\w+):-", (FOLDER / "azure.yaml").read_text("utf-8")))
    version = azure_yaml()["requiredVersions"]["azd"].removeprefix(">= ")

    for need in (f"{version} or newer", "Python 3.11", "`npx`", "PowerShell 7", "rights to create"):
        assert need in ours, need
    assert ours.index("403") < ours.index("azd deploy\n") < ours.index("azd down --purge")
    # azd knows those of its own.
    assert set(re.findall(r"azd env set (\w+)", ours)) == {
        name for name in read if not name.startswith("AZURE_")
    }


def test_git_does_not_see_what_the_hook_lays_out() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout")
    asked = [git, "check-ignore", "--no-index", "deploy/azure/.package/host.json"]

    assert subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode == 0


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
