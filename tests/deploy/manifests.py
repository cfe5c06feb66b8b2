"""The manifests of deploy/kubernetes as data, and what the schemas of their kinds say of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dockerfiles import ROOT
from tools.bootstrap.environments import has_node, install_node_packages

__all__ = [
    "DEPLOYMENTS",
    "MANIFESTS",
    "Check",
    "Manifest",
    "app_settings",
    "container_of",
    "documents",
    "functions_of",
    "kustomized",
    "one",
    "schema_check",
    "the",
]

HERE = Path(__file__).resolve().parent
MANIFESTS = ROOT / "deploy" / "kubernetes"
DEPLOYMENTS = ("image-classifier-http", "image-classifier-queue", "model-server")

Manifest = dict[str, Any]
Check = Callable[[list[Manifest]], list[str]]


def documents() -> list[Manifest]:
    """Every manifest, but for kustomize's own file, which Kubernetes never sees."""
    files = sorted(path for path in MANIFESTS.glob("*.yaml") if path.stem != "kustomization")
    return [each for path in files for each in yaml.safe_load_all(path.read_text("utf-8"))]


def one(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    """The manifest of this kind and name; AssertionError unless there is exactly one."""
    found = [
        each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    assert len(found) == 1, f"{len(found)} manifests are {kind} {name}"
    return found[0]


def the(kind: str, name: str) -> Manifest:
    """The manifest of this kind and name in deploy/kubernetes."""
    return one(documents(), kind, name)


def container_of(deployment: Manifest) -> Manifest:
    """The one container of a deployment's pods."""
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


def app_settings(deployment: Manifest) -> dict[str, str]:
    """The settings that stand in the manifest itself, so without those of secrets."""
    return {
        variable["name"]: variable["value"]
        for variable in container_of(deployment)["env"]
        if "value" in variable
    }


def functions_of(deployment: Manifest) -> list[str]:
    """The functions that a deployment's pods run."""
    start = "AzureFunctionsJobHost__functions__"
    return [value for name, value in app_settings(deployment).items() if name.startswith(start)]


def kustomized(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k` would send; skips the test where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl, which has kustomize in it")
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def schema_check() -> Check:
    """A function from manifests to what the schemas say against each ("" for nothing)."""
    if not has_node():
        pytest.skip("the schemas are Node packages, and there is no Node.js with npm")
    install_node_packages(HERE, "Kubernetes' schemas")

    def ask(manifests: list[Manifest]) -> list[str]:
        done = subprocess.run(
            ["node", "check.mjs"],
            cwd=HERE,
            input=json.dumps(manifests),
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        complaints: list[str] = json.loads(done.stdout)
        return complaints

    return ask
