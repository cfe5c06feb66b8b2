"""One table of what is set where: Bicep, az lines, images, Compose, Kubernetes and the docs agree.

A setting that one of them has and another has not is a fault, unless the table says why it is left
out there; so is a value that differs, a column that the table forgets, and a row that nobody needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

import dev
from tests.deploy.az_lines import az_lines
from tests.deploy.bicep_files import read_template
from tests.deploy.dockerfiles import ROOT, read_image
from tests.deploy.manifests import MANIFESTS, app_settings, container_of, the
from tests.deploy.test_az_lines import PAGES
from tools.bootstrap.testing import CONFORMANCE_VERSION

DEPLOY = ROOT / "deploy"
FUNCTIONS_IMAGE = read_image(DEPLOY / "container" / "functions.Dockerfile")
SERVER_IMAGE = read_image(DEPLOY / "container" / "model_server.Dockerfile")
COMPOSE = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text("utf-8"))["services"]
EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))
HOST = json.loads((ROOT / "host.json").read_text("utf-8"))
BICEP = {
    name: read_template((DEPLOY / "azure" / f"{name}.bicep").read_text("utf-8"))
    for name in ("main", "api")
}
PYTHON = "3.13"


def az_settings(page: str) -> dict[str, str]:
    [line] = [line for line in az_lines(PAGES[page]) if line.command.endswith("appsettings set")]
    return line.settings()


def of_kubernetes(name: str) -> dict[str, str]:
    secret = yaml.safe_load((MANIFESTS / "secret.example.yaml").read_text("utf-8"))
    keys: dict[str, str] = secret["stringData"]
    return FUNCTIONS_IMAGE.environ | app_settings(the("Deployment", name)) | keys


def with_an_identity(name: str) -> dict[str, str]:
    lines = (MANIFESTS / "workload-identity" / "settings.env").read_text("utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    keys = yaml.safe_load((MANIFESTS / "workload-identity" / "pods.yaml").read_text("utf-8"))
    assert "API_KEYS" in json.dumps(keys)
    settings = FUNCTIONS_IMAGE.environ | app_settings(the("Deployment", name))
    return settings | given | {"API_KEYS": "of the secret"}


# Each place where somebody's app gets its settings from -> what they are in the end.
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "azd": BICEP["api"].bodies["settings"]["properties"],
    "README": az_settings("README.md"),
    "scale.md": az_settings("docs/scale.md"),
    "image": FUNCTIONS_IMAGE.environ,
    "compose http": FUNCTIONS_IMAGE.environ | COMPOSE["functions"]["environment"],
    "compose queue": FUNCTIONS_IMAGE.environ | COMPOSE["queue"]["environment"],
    "k8s http": of_kubernetes("image-classifier-http"),
    "k8s queue": of_kubernetes("image-classifier-queue"),
    "k8s identity http": with_an_identity("image-classifier-http"),
    "k8s identity queue": with_an_identity("image-classifier-queue"),
    "laptop": EXAMPLE["Values"],
}
AZURE = ("azd", "README", "scale.md")
CONTAINERS = ("image", *(name for name in COLUMNS if name.startswith(("compose", "k8s"))))
IDENTITY_PODS = ("k8s identity http", "k8s identity queue")
QUEUES = tuple(name for name in COLUMNS if name.endswith("queue"))


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        value: what it is everywhere; None where each place has its own.
        absent: the columns without it -> why.
    """

    value: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


def without(reason: str, *columns: str) -> dict[str, str]:
    return dict.fromkeys(columns, reason)


# Reasons that several rows share.
AZ_DOES = without("az makes the connection itself, by a connection string", "README", "scale.md")
BY_IDENTITY = without("an identity takes the place of the connection string", "azd", *IDENTITY_PODS)
BY_KEY = without(
    "a connection string takes the place of the identity",
    *(name for name in COLUMNS if name not in ("azd", *IDENTITY_PODS)),
)
NO_STORAGE = without("it answers HTTP alone and keeps its files itself", "compose http")
NO_APP = without("an image is configured by who runs it", "image")
OF_THE_IMAGE = without("Microsoft's host has it there by itself", *AZURE, "laptop")
NOT_FETCHED_BY_IDENTITY = without(
    "blobs of the app's own account are opened where the platform has a managed identity",
    "README", "scale.md", *CONTAINERS,
)  # fmt: skip
ONE_HOST_EACH = without("Azure and Core Tools name the host themselves", *AZURE, "laptop")
ALL_FUNCTIONS = without("all functions run in one host", *AZURE, "laptop")
NO_SIGNALR = without("the queue is off, or in a service of its own", "README", "compose http")

ROWS: Mapping[str, Row] = {
    # What the app is told.
    "API_KEYS": Row(absent=NO_APP | without("it answers no HTTP", "compose queue")),
    "WARM_UP": Row(
        absent=NO_APP | without("a message waits for the model as long as it takes", *QUEUES)
    ),
    "FETCH_BLOB_IDENTITY": Row(absent=NOT_FETCHED_BY_IDENTITY),
    "FETCH_BLOB_CONTAINERS": Row(absent=NOT_FETCHED_BY_IDENTITY),
    # What Python's worker and the host are told.
    "PYTHON_THREADPOOL_THREAD_COUNT": Row("32"),
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": Row("29360128"),
    "PYTHON_ISOLATE_WORKER_DEPENDENCIES": Row("1"),
    "FUNCTIONS_WORKER_RUNTIME": Row(
        "python", without("Flex Consumption has a property in its place", *AZURE)
    ),
    "AzureWebJobs.classify_queue.Disabled": Row(
        "true",
        without("the queue runs, with a SignalR Service", "azd", "scale.md", "image")
        | without("the host is told which functions to run", *CONTAINERS),
    ),
    "AzureFunctionsWebHost__hostid": Row(absent=NO_APP | ONE_HOST_EACH),
    "AzureFunctionsJobHost__functions__0": Row(absent=NO_APP | ALL_FUNCTIONS),
    "AzureWebJobsScriptRoot": Row("/home/site/wwwroot", OF_THE_IMAGE),
    "AzureFunctionsJobHost__Logging__Console__IsEnabled": Row("true", OF_THE_IMAGE),
    "ASPNETCORE_URLS": Row("http://+:8080", OF_THE_IMAGE),
    "AzureWebJobsSecretStorageType": Row(
        "files",
        without(
            "the host keeps its keys in the storage account",
            *(name for name in COLUMNS if name != "compose http"),
        ),
    ),
    # Connections.
    "AzureWebJobsStorage": Row(absent=AZ_DOES | BY_IDENTITY | NO_STORAGE | NO_APP),
    "AzureSignalRConnectionString": Row(absent=BY_IDENTITY | NO_SIGNALR | NO_APP),
    "AzureWebJobsStorage__blobServiceUri": Row(
        absent=BY_KEY | without("KEDA wants the account's name, so that is given", *IDENTITY_PODS)
    ),
    "AzureWebJobsStorage__queueServiceUri": Row(
        absent=BY_KEY | without("KEDA wants the account's name, so that is given", *IDENTITY_PODS)
    ),
    "AzureWebJobsStorage__tableServiceUri": Row(
        absent=BY_KEY | without("KEDA wants the account's name, so that is given", *IDENTITY_PODS)
    ),
    "AzureWebJobsStorage__accountName": Row(
        absent=BY_KEY | without("the addresses are right in every cloud", "azd")
    ),
    "AzureWebJobsStorage__credential": Row(absent=BY_KEY),
    "AzureWebJobsStorage__clientId": Row(
        absent=BY_KEY | without("the pod's own identity is the only one", *IDENTITY_PODS)
    ),
    "AzureSignalRConnectionString__serviceUri": Row(absent=BY_KEY),
    "AzureSignalRConnectionString__credential": Row(absent=BY_KEY),
    "AzureSignalRConnectionString__clientId": Row(
        absent=BY_KEY | without("the pod's own identity is the only one", *IDENTITY_PODS)
    ),
    "AZURE_CLIENT_ID": Row(absent=BY_KEY | without("__clientId says it", "azd")),
    "APPLICATIONINSIGHTS_CONNECTION_STRING": Row(
        absent=AZ_DOES | without("the container's console is read by who runs it", *CONTAINERS)
        | without("nothing is sent from a laptop", "laptop")
    ),
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": Row(
        absent=AZ_DOES | without("the container's console is read by who runs it", *CONTAINERS)
        | without("nothing is sent from a laptop", "laptop")
    ),
}  # fmt: skip


def disagreements(rows: Mapping[str, Row], columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the artefacts and the table say differently, as sentences."""
    settings = {name for column, set_ in columns.items() if column != "laptop" for name in set_}
    found = [
        f"{name} has no row in the table"
        for name in sorted(settings - set(rows))
        if not re.fullmatch(r"AzureFunctionsJobHost__functions__[1-9]", name)
    ]
    for name, row in rows.items():
        for column, values in columns.items():
            # The example lists every setting of the app, each with its default.
            listed = column == "laptop" and row.value is None
            if name in values and column in row.absent and not listed:
                found.append(f"{column} sets {name}, although: {row.absent[column]}")
            elif name not in values and column not in row.absent:
                found.append(f"{column} forgets {name}")
            elif name in values and row.value not in (None, values[name]):
                found.append(f"{column} sets {name} to {values[name]}, not {row.value}")
        if not any(name in values for values in columns.values()):
            found.append(f"{name} has a row, but nobody sets it")
    return found


def test_what_one_artefact_sets_the_others_set_or_say_why_not() -> None:
    assert disagreements(ROWS, COLUMNS) == []


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("k8s http", {"NEW_SETTING": "1"}, "NEW_SETTING has no row"),
        ("compose queue", {"PYTHON_THREADPOOL_THREAD_COUNT": "8"}, "to 8, not 32"),
        ("azd", {"PYTHON_ISOLATE_WORKER_DEPENDENCIES": None}, "azd forgets PYTHON_ISOLATE"),
        ("README", {"WARM_UP": None}, "README forgets WARM_UP"),
        ("scale.md", {"AzureWebJobs.classify_queue.Disabled": "true"}, "scale.md sets AzureWebJ"),
    ],
)
def test_the_table_finds_what_does_not_agree(
    column: str, change: dict[str, str | None], words: str
) -> None:
    changed = {
        name: value for name, value in ({**COLUMNS[column], **change}).items() if value is not None
    }
    found = disagreements(ROWS, {**COLUMNS, column: changed})

    assert len(found) == 1
    assert words in found[0]


def numbers(pattern: str, page: str) -> set[int]:
    """What a page says, wherever it says so."""
    text = (ROOT / page).read_text("utf-8")
    return {int(found) for found in re.findall(pattern, text)}


def test_one_version_of_python_everywhere() -> None:
    runtime = BICEP["api"].bodies["app"]["properties"]["functionAppConfig"]["runtime"]["version"]
    created = {
        line.value("--runtime-version")
        for page in PAGES.values()
        for line in az_lines(page)
        if line.command == "functionapp create"
    }
    deploy = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    whole = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))

    assert runtime == PYTHON
    assert created == {PYTHON}
    assert FUNCTIONS_IMAGE.base.endswith(f"-python{PYTHON}")
    assert SERVER_IMAGE.base == f"python:{PYTHON}-slim"
    assert CONFORMANCE_VERSION == PYTHON
    assert f"Flex Consumption, Python {PYTHON}" in deploy
    assert set(re.findall(r"4-python(3\.\d+)|python:(3\.\d+)-", whole)) <= {
        (PYTHON, ""),
        ("", PYTHON),
    }


def test_one_number_of_instances_everywhere() -> None:
    limit = BICEP["main"].defaults["maximumInstanceCount"]
    scaled = the("ScaledObject", "image-classifier-queue")["spec"]
    servers = the("HorizontalPodAutoscaler", "model-server")["spec"]
    at_most = f"{scaled['maxReplicaCount']}"

    for page in ("README.md", "docs/scale.md"):
        assert numbers(r"--maximum-instance-count (\d+)", page) == {limit}
    assert numbers(r"instances of \d+ MB, at most (\d+)", "docs/deploy.md") == {limit}
    assert numbers(r"KEDA: none while the queue is empty, up to (\d+)", "docs/deploy.md") == {
        scaled["maxReplicaCount"]
    }
    assert f"up to {at_most} when it is long" in " ".join(
        (ROOT / "docs" / "scale.md").read_text("utf-8").split()
    )
    assert f"HPA: {servers['minReplicas']} to {servers['maxReplicas']}" in (
        ROOT / "docs" / "deploy.md"
    ).read_text("utf-8")


def test_as_many_threads_as_messages_run_at_once_and_one_limit_of_requests() -> None:
    queues, http = HOST["extensions"]["queues"], HOST["extensions"]["http"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    scale = BICEP["api"].bodies["app"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]

    assert ROWS["PYTHON_THREADPOOL_THREAD_COUNT"].value == str(at_once)
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == http["maxConcurrentRequests"]
    for page in ("README.md", "docs/scale.md"):
        assert numbers(r"perInstanceConcurrency=(\d+)", page) == {http["maxConcurrentRequests"]}


def test_one_port_for_each_server_everywhere() -> None:
    """The app on a laptop, the app in an image, the model server, and the storage emulator."""
    [inside] = FUNCTIONS_IMAGE.ports
    laptop, grpc, rest = dev.DEFAULT_PORT, *SERVER_IMAGE.ports

    assert (laptop, inside, grpc, rest) == (7071, 8080, 8500, 8501)
    assert EXAMPLE["Host"]["LocalHttpPort"] == laptop
    assert ROWS["ASPNETCORE_URLS"].value == f"http://+:{inside}"
    assert COMPOSE["functions"]["ports"] == [f"{laptop}:{inside}"]
    assert COMPOSE["model_server"]["ports"] == [f"{grpc}:{grpc}", f"{rest}:{rest}"]
    for name, ports in (
        ("image-classifier-http", [inside]),
        ("image-classifier-queue", [inside]),
        ("model-server", [grpc, rest]),
    ):
        named = container_of(the("Deployment", name))["ports"]
        assert [each["containerPort"] for each in named] == ports
    storage = COLUMNS["compose queue"]["AzureWebJobsStorage"]
    assert re.findall(r"http://storage:(\d+)/", storage) == ["10000", "10001", "10002"]
    assert COMPOSE["storage"]["ports"] == ["127.0.0.1:10000:10000", "127.0.0.1:10001:10001"]
    assert numbers(r"on\s+port (7\d{3}|8080)", "docs/deploy.md") == {laptop, inside}
    assert numbers(r"(\d{4}) \(gRPC\)", "docs/deploy.md") == {grpc}
    assert numbers(r"(\d{4}) \(REST\)", "docs/deploy.md") == {rest}
