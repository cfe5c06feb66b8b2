"""deploy/kubernetes/workload-identity: switched on as docs/deploy.md says, nothing needs a key."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.deploy.dockerfiles import ROOT
from tests.deploy.manifests import (
    MANIFESTS,
    Check,
    Manifest,
    app_settings,
    container_of,
    documents,
    kustomized,
    one,
    schema_check,
    the,
)

COMPONENT = MANIFESTS / "workload-identity"
APP = ("image-classifier-http", "image-classifier-queue")
SETTINGS = "image-classifier-azure"
LABEL, ANNOTATION = "azure.workload.identity/use", "azure.workload.identity/client-id"


def filled_in() -> dict[str, str]:
    """settings.env, as somebody would fill it in."""
    lines = (COMPONENT / "settings.env").read_text("utf-8").splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {
        **values,
        "AZURE_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
        "AzureWebJobsStorage__accountName": "stexample",
        "AzureSignalRConnectionString__serviceUri": "https://example.service.signalr.net",
    }


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """What goes to the cluster once the two lines of kustomization.yaml are switched on."""
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(MANIFESTS, folder)
    kustomization = folder / "kustomization.yaml"
    text = kustomization.read_text("utf-8")
    switched_on = text.replace("# components:\n#   - ", "components:\n  - ")
    assert switched_on != text
    kustomization.write_text(switched_on, "utf-8")
    lines = [f"{name}={value}\n" for name, value in filled_in().items()]
    (folder / "workload-identity" / "settings.env").write_text("".join(lines), "utf-8")
    return kustomized(folder)


@pytest.fixture(scope="module")
def check() -> Check:
    return schema_check()


def settings_of(manifests: list[Manifest]) -> Manifest:
    [found] = [each for each in manifests if each["kind"] == "ConfigMap"]
    return found


def test_with_the_identity_every_manifest_fits_its_schema(
    assembled: list[Manifest], check: Check
) -> None:
    kinds = [each["kind"] for each in assembled]

    assert len(assembled) == len(documents()) - 1 + 3  # without the secret, and three more
    assert {"ServiceAccount", "ConfigMap", "TriggerAuthentication"} <= set(kinds)
    assert check(assembled) == [""] * len(assembled)
    assert {each["metadata"].get("namespace") for each in assembled} == {"image-classifier", None}


def test_without_the_switch_nothing_of_it_reaches_the_cluster() -> None:
    named = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text("utf-8"))

    assert "components" not in named
    assert not {"ServiceAccount", "ConfigMap", "TriggerAuthentication"} & {
        each["kind"] for each in documents()
    }


def test_of_the_secret_the_pods_read_the_api_keys_and_nothing_else(
    assembled: list[Manifest],
) -> None:
    config = settings_of(assembled)
    for name in APP:
        container = container_of(one(assembled, "Deployment", name))
        secrets = [each["valueFrom"] for each in container["env"] if "valueFrom" in each]

        assert secrets == [{"secretKeyRef": {"name": "image-classifier", "key": "API_KEYS"}}]
        assert container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    assert "API_KEYS" in the("Secret", "image-classifier")["stringData"]
    assert config["metadata"]["name"].startswith(f"{SETTINGS}-"), "no digest, no new pods"


def test_every_connection_of_the_functions_is_opened_by_the_identity(
    assembled: list[Manifest],
) -> None:
    config = settings_of(assembled)["data"]
    connections = set()
    for path in ROOT.glob("*/function.json"):
        for binding in json.loads(path.read_text("utf-8"))["bindings"]:
            connections |= {binding.get("connection"), binding.get("connectionStringSetting")}

    assert connections - {None} == {"AzureWebJobsStorage", "AzureSignalRConnectionString"}
    assert config == filled_in()
    for connection in connections - {None}:
        assert config[f"{connection}__credential"] == "workloadidentity"
        assert connection not in config, "a connection string would win"


def test_pods_and_keda_are_the_same_identity(assembled: list[Manifest]) -> None:
    client = filled_in()["AZURE_CLIENT_ID"]
    account = one(assembled, "ServiceAccount", "image-classifier")
    proof = one(assembled, "TriggerAuthentication", "image-classifier")
    for name in APP:
        template = one(assembled, "Deployment", name)["spec"]["template"]

        assert template["metadata"]["labels"][LABEL] == "true"
        assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert template["spec"]["automountServiceAccountToken"] is False
    assert account["metadata"]["annotations"] == {ANNOTATION: client}
    assert proof["spec"]["podIdentity"] == {"provider": "azure-workload", "identityId": client}


def test_keda_reads_the_length_of_the_same_queue_without_a_key(assembled: list[Manifest]) -> None:
    [with_key] = the("ScaledObject", "image-classifier-queue")["spec"]["triggers"]
    [trigger] = one(assembled, "ScaledObject", "image-classifier-queue")["spec"]["triggers"]

    assert "connectionFromEnv" in with_key["metadata"]
    assert trigger["authenticationRef"] == {"name": "image-classifier"}
    assert trigger["metadata"] == {
        "queueName": with_key["metadata"]["queueName"],
        "queueLength": with_key["metadata"]["queueLength"],
        "accountName": filled_in()["AzureWebJobsStorage__accountName"],
    }


def test_all_else_is_as_without_the_identity(assembled: list[Manifest]) -> None:
    for name in APP:
        before, after = the("Deployment", name), one(assembled, "Deployment", name)
        was, now = container_of(before), container_of(after)

        assert app_settings(after) == app_settings(before)
        assert after["spec"]["selector"] == before["spec"]["selector"]
        for part in ("securityContext", "startupProbe", "livenessProbe", "resources", "ports"):
            assert now[part] == was[part]
    assert one(assembled, "Deployment", "model-server")["spec"]["template"]["spec"].keys() == (
        the("Deployment", "model-server")["spec"]["template"]["spec"].keys()
    )


def test_settings_env_stands_in_the_tree_without_anything_of_anybodys() -> None:
    text = (COMPONENT / "settings.env").read_text("utf-8")

    assert "AZURE_CLIENT_ID=00000000-0000-0000-0000-000000000000\n" in text
    assert "=STORAGE_ACCOUNT\n" in text
    assert not re.search(r"AccountKey|AccessKey|SharedAccess", text)


def test_the_commands_in_the_docs_name_the_service_accounts_that_there_are() -> None:
    docs = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    namespace = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text("utf-8"))["namespace"]
    [account, _] = yaml.safe_load_all((COMPONENT / "identity.yaml").read_text("utf-8"))
    subjects = re.findall(r"--subject system:serviceaccount:(\S+)", docs)

    # The second is KEDA's own, as the AKS add-on names it.
    assert subjects == [f"{namespace}:{account['metadata']['name']}", "kube-system:keda-operator"]
    storage = (ROOT / "deploy" / "azure" / "storage.bicep").read_text("utf-8")
    assert "allowSharedKeyAccess: false" in storage
    assert "allowSharedKeyAccess: false" in docs


def test_a_misspelt_deployment_is_refused_rather_than_left_without_an_identity(
    tmp_path: Path,
) -> None:
    """A patch that finds nothing is silent in kustomize; the tests above must not be."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(MANIFESTS, folder)
    for path, old, new in (
        ("kustomization.yaml", "# components:\n#   - ", "components:\n  - "),
        ("workload-identity/kustomization.yaml", "-(http|queue)", "-(htp|queue)"),
    ):
        text = (folder / path).read_text("utf-8")
        (folder / path).write_text(text.replace(old, new), "utf-8")
    manifests = kustomized(folder)

    with pytest.raises(KeyError):
        test_pods_and_keda_are_the_same_identity(manifests)
