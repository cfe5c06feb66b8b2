"""The Bicep files, as far as they can be checked without Azure and without Bicep's compiler."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from image_classifier.settings import SETTINGS, Settings
from tests.deploy.bicep_files import Expression, Template, faults, read_template

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

    assert containers == {"packages", "images"}
    assert settings["FETCH_BLOB_IDENTITY"] == "true"
    assert settings["FETCH_BLOB_CONTAINERS"] == "images"


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
    assert {name for name in others if not name.startswith("APPLICATIONINSIGHTS")} <= set(example)
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
