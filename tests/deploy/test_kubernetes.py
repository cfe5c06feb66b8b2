"""deploy/kubernetes: held against schemas, and its parts against each other, images and code."""

from __future__ import annotations

import copy
import json
import re

import pytest
import yaml

from model_server.flags import channel_arguments, parse_flags
from tests.deploy.dockerfiles import ROOT, read_image
from tests.deploy.manifests import (
    DEPLOYMENTS,
    MANIFESTS,
    Check,
    app_settings,
    container_of,
    documents,
    functions_of,
    kustomized,
    schema_check,
    the,
)

SERVICES = {
    "image-classifier": "image-classifier-http",
    "model-server": "model-server",
    "model-server-grpc": "model-server",
}
# What Microsoft's host takes as its id, in its own words: 1 to 32 lowercase letters, digits and
# dashes, none of them at an end or beside another.
HOST_ID = re.compile(r"(?=.{1,32}\Z)[a-z0-9]+(-[a-z0-9]+)*")


@pytest.fixture(scope="module")
def check() -> Check:
    return schema_check()


def test_every_manifest_fits_its_schema(check: Check) -> None:
    manifests = documents()

    assert len(manifests) == 12
    assert check(manifests) == [""] * len(manifests)


def test_the_check_refuses_what_is_wrong(check: Check) -> None:
    number, kind, field = (copy.deepcopy(documents()) for _ in range(3))
    wrong = [
        next(one for one in documents_ if one["kind"] == name)
        for documents_, name in ((number, "ScaledObject"), (kind, "Service"), (field, "Deployment"))
    ]
    wrong[0]["spec"]["triggers"][0]["metadata"]["queueLength"] = 500
    wrong[1]["kind"] = "Servant"
    del wrong[2]["spec"]["selector"]

    complaints = check(wrong)

    assert "queueLength must be string" in complaints[0]
    assert "no schema for v1 Servant" in complaints[1]
    assert "selector" in complaints[2]


def test_kustomization_names_files_that_are_there_and_leaves_the_secret_out() -> None:
    named = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text("utf-8"))["resources"]

    assert sorted(named) == ["http.yaml", "model_server.yaml", "namespace.yaml", "queue.yaml"]
    assert all((MANIFESTS / name).is_file() for name in named)


def test_every_function_runs_in_one_of_the_deployments() -> None:
    functions = functions_of(the("Deployment", "image-classifier-http")) + functions_of(
        the("Deployment", "image-classifier-queue")
    )
    folders = [path.parent.name for path in ROOT.glob("*/function.json")]

    # warmup/ is for Premium plans: the platform calls it.
    assert sorted(functions) == sorted(set(folders) - {"warmup"})


def test_keda_watches_the_queue_and_the_pods_of_the_queue_function() -> None:
    function = json.loads((ROOT / "classify_queue" / "function.json").read_text("utf-8"))
    [trigger] = [one for one in function["bindings"] if one["type"] == "queueTrigger"]
    scaled = the("ScaledObject", "image-classifier-queue")["spec"]
    [scaler] = scaled["triggers"]

    assert scaler["metadata"]["queueName"] == trigger["queueName"]
    assert scaler["metadata"]["connectionFromEnv"] == trigger["connection"]
    assert trigger["connection"] in the("Secret", "image-classifier")["stringData"]
    deployment = the("Deployment", scaled["scaleTargetRef"]["name"])
    assert functions_of(deployment) == ["classify_queue"]
    assert "replicas" not in deployment["spec"]


def test_each_host_has_an_id_of_its_own_that_outlives_its_containers() -> None:
    """Compose's two hosts and Kubernetes': the same id for the same functions' host, and legal."""
    compose = yaml.safe_load((ROOT / "deploy/container/compose.yaml").read_text("utf-8"))
    ids = {}
    for name, service in (("http", "functions"), ("queue", "queue")):
        settings = app_settings(the("Deployment", f"image-classifier-{name}"))
        ids[name] = settings["AzureFunctionsWebHost__hostid"]

        assert HOST_ID.fullmatch(ids[name])
        environ = compose["services"][service]["environment"]
        assert environ["AzureFunctionsWebHost__hostid"] == ids[name]
    assert ids["http"] != ids["queue"]
    for wrong in ("", "a" * 33, "Image", "a--b", "-a", "a-", "a_b"):
        assert not HOST_ID.fullmatch(wrong)


def test_pods_are_found_by_the_labels_that_they_wear() -> None:
    worn = {}
    for name in DEPLOYMENTS:
        spec = the("Deployment", name)["spec"]
        worn[name] = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == worn[name]
        for spread in spec["template"]["spec"].get("topologySpreadConstraints", []):
            assert spread["labelSelector"]["matchLabels"] == worn[name]
    for service, deployment in SERVICES.items():
        assert the("Service", service)["spec"]["selector"] == worn[deployment]
    for name in ("image-classifier-http", "model-server"):
        budget = the("PodDisruptionBudget", name)["spec"]
        assert budget["selector"]["matchLabels"] == worn[name]


def test_services_lead_to_ports_that_are_open_in_the_image() -> None:
    images = {"functions": "functions.Dockerfile", "model-server": "model_server.Dockerfile"}
    for service, deployment in SERVICES.items():
        container = container_of(the("Deployment", deployment))
        named = {port["name"]: port["containerPort"] for port in container["ports"]}
        dockerfile = ROOT / "deploy" / "container" / images[container["name"]]

        assert sorted(named.values()) == read_image(dockerfile).ports
        [port] = the("Service", service)["spec"]["ports"]
        assert port["targetPort"] in named


def test_no_pod_is_root_or_could_become_it() -> None:
    for name in DEPLOYMENTS:
        pod = the("Deployment", name)["spec"]["template"]["spec"]
        [container] = pod["containers"]
        image = "model_server" if name == "model-server" else "functions"
        user = read_image(ROOT / "deploy" / "container" / f"{image}.Dockerfile").user

        assert pod["securityContext"]["runAsNonRoot"]
        assert str(pod["securityContext"]["runAsUser"]) == user
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])
        assert not pod["automountServiceAccountToken"]


def test_the_model_server_is_probed_where_it_answers_and_scaled_by_one_only() -> None:
    deployment = the("Deployment", "model-server")["spec"]
    [container] = deployment["template"]["spec"]["containers"]
    scaler = the("HorizontalPodAutoscaler", "model-server")["spec"]
    flags, _ = parse_flags([*container["args"], "--model_base_path=/models/digits"])

    assert flags.enable_grpc_healthcheck_service
    assert container["startupProbe"]["grpc"] == container["readinessProbe"]["grpc"]
    assert container["startupProbe"]["grpc"]["port"] == flags.port
    assert scaler["scaleTargetRef"]["name"] == "model-server"
    assert "replicas" not in deployment
    [variable] = container["env"]
    assert (
        variable["valueFrom"]["secretKeyRef"]["key"]
        in the("Secret", "image-classifier")["stringData"]
    )


def test_grpc_clients_come_to_know_new_pods_while_calls_go_on() -> None:
    [container] = the("Deployment", "model-server")["spec"]["template"]["spec"]["containers"]
    flags, _ = parse_flags([*container["args"], "--model_base_path=/models/digits"])
    arguments = channel_arguments(flags.grpc_channel_arguments)

    # tests/model_server/grpc/test_health.py shows what they do.
    assert arguments == {
        "grpc.max_connection_age_ms": 120_000,
        "grpc.max_connection_age_grace_ms": 60_000,
    }


def test_the_functions_pods_are_ready_once_an_image_could_be_classified() -> None:
    container = container_of(the("Deployment", "image-classifier-http"))
    image = read_image(ROOT / "deploy" / "container" / "functions.Dockerfile")
    command = container["startupProbe"]["exec"]["command"]

    assert command == [*image.healthcheck[:2], f"{image.healthcheck[2]}?probe=ready"]
    assert container["startupProbe"]["timeoutSeconds"] >= 10


def test_every_pod_is_probed() -> None:
    for name in DEPLOYMENTS:
        container = container_of(the("Deployment", name))
        named = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe"):
            asked = container[probe]
            place = asked.get("httpGet") or asked.get("tcpSocket")

            assert place is None or place["port"] in named
            assert place or asked.get("grpc") or asked.get("exec")


def test_kustomize_puts_the_parts_together(check: Check) -> None:
    manifests = kustomized(MANIFESTS)

    assert len(manifests) == len(documents()) - 1  # all but the secret
    assert check(manifests) == [""] * len(manifests)


def test_no_key_that_anyone_could_use_is_in_the_tree() -> None:
    example = (MANIFESTS / "secret.example.yaml").read_text("utf-8")

    assert "…" in example
    assert "deploy/kubernetes/secret.yaml" in (ROOT / ".gitignore").read_text("utf-8")
