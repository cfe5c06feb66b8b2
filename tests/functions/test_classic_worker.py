"""TensorFlow in the worker that Azure Functions has for Python 3.12 and older, and its protobuf.

That worker imports a protobuf of its own before the app. Each test starts a process with the paths
and the imports of that worker (`tests/support/classic_worker` says after what it is written, and
why it is not Microsoft's own), with protobuf 4.25 from PyPI, and asks the app for a `model.pb`.

Two kinds of process. Core Tools start the worker with the virtual environment of the app: this
environment itself, on Python 3.11 or 3.12, at no cost. The container image, and an instance of Flex
Consumption that waits without an app, are on Python 3.12, with packages that
`tools.bootstrap.classic_worker` installs once (half a minute, 1.5 GB), for there is no second
TensorFlow on this machine.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from image_classifier.engines.registry import ENGINES
from tests.support.app_tree import ROOT
from tests.support.servers import clean_environment
from tools.bootstrap.classic_worker import (
    CLASSIC_VERSION,
    app_packages,
    classic_python,
    worker_packages,
)
from tools.bootstrap.environments import EnvironmentSetupError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the folders are laid as in Linux")

TIMEOUT_SECONDS = 120
SETTING = "PYTHON_ISOLATE_WORKER_DEPENDENCIES"
THIS_VERSION = "{}.{}".format(*sys.version_info[:2])
SAMPLE = json.loads((ROOT / "frontend" / "samples" / "samples.json").read_text("utf-8"))[0]
APP_SETTINGS = {
    "ENGINE": "tensorflow",
    "MODELS_DIR": "models",
    "DEFAULT_MODEL": "digits",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
}


class Classic(NamedTuple):
    """Python 3.12 and the app's packages for it, as pip lays them."""

    python: str
    packages: Path

    def environ(self, extra: Mapping[str, str]) -> dict[str, str]:
        """For its processes: they keep what they compile of TensorFlow, which takes seconds."""
        return {**clean_environment(extra), "PYTHONDONTWRITEBYTECODE": ""}


@pytest.fixture(scope="module")
def worker_files() -> Path:
    try:
        return worker_packages()
    except EnvironmentSetupError as failure:
        pytest.skip(f"the worker's own packages cannot be installed: {failure}")


@pytest.fixture(scope="module")
def classic() -> Classic:
    python = classic_python()
    if python is None:
        pytest.skip(f"no Python {CLASSIC_VERSION}, the newest that runs in the classic worker")
    try:
        return Classic(python, app_packages(python))
    except EnvironmentSetupError as failure:
        pytest.skip(f"TensorFlow cannot be installed for Python {CLASSIC_VERSION}: {failure}")


def worker_folder(tmp_path: Path, version: str, files: Path) -> Path:
    """Where Azure's images have the worker, with what it brings."""
    folder = tmp_path / "azure-functions-host" / "workers" / "python" / version / "LINUX" / "X64"
    shutil.copytree(files, folder)
    shutil.copytree(ROOT / "tests" / "support" / "classic_worker", folder, dirs_exist_ok=True)
    return folder


def orders() -> dict[str, Any]:
    """The status, then one image twice: what failed by halves must fail alike again."""
    image = (ROOT / "frontend" / "samples" / SAMPLE["file"]).read_bytes()
    posted = {
        "function": "classify",
        "method": "POST",
        "url": "http://localhost/api/classify",
        "headers": {"content-type": "application/octet-stream"},
        "body": base64.b64encode(image).decode(),
    }
    asked = {"function": "status", "method": "GET", "url": "http://localhost/api/status"}
    return {"calls": [asked, posted, posted]}


def run(
    command: list[str], environ: dict[str, str], told: dict[str, Any], cwd: Path = ROOT
) -> dict[str, Any]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def in_core_tools(tmp_path: Path, files: Path, setting: dict[str, str]) -> dict[str, Any]:
    if THIS_VERSION not in ("3.11", "3.12"):
        pytest.skip(f"Python {THIS_VERSION} does not run in the classic worker")
    worker = worker_folder(tmp_path, THIS_VERSION, files)
    environ = clean_environment({**APP_SETTINGS, **setting, "AzureWebJobsScriptRoot": str(ROOT)})
    environ.pop("PYTHONPATH", None)
    return run([sys.executable, str(worker / "worker.py")], environ, orders())


def in_container(
    tmp_path: Path, files: Path, classic: Classic, setting: dict[str, str]
) -> dict[str, Any]:
    """The app's packages are the system's, behind the worker's."""
    worker = worker_folder(tmp_path, CLASSIC_VERSION, files)
    site = tmp_path / "usr" / "lib" / f"python{CLASSIC_VERSION}" / "site-packages"
    site.parent.mkdir(parents=True)
    site.symlink_to(classic.packages, target_is_directory=True)
    environ = classic.environ({**APP_SETTINGS, **setting, "AzureWebJobsScriptRoot": str(ROOT)})
    environ.pop("PYTHONPATH", None)
    start = (
        f"import runpy, sys; sys.path[0] = {str(worker)!r}; sys.path.append({str(site)!r}); "
        f"runpy.run_path({str(worker / 'worker.py')!r}, run_name='__main__')"
    )
    return run([classic.python, "-c", start], environ, orders())


def in_flex_consumption(
    tmp_path: Path, files: Path, classic: Classic, setting: dict[str, str]
) -> dict[str, Any]:
    """The worker runs before there is an app; then the app's folder and settings arrive."""
    worker = worker_folder(tmp_path, CLASSIC_VERSION, files)
    arriving, root = tmp_path / "arriving", tmp_path / "home" / "site" / "wwwroot"
    root.parent.mkdir(parents=True)
    packages = arriving / ".python_packages" / "lib" / "site-packages"
    packages.parent.mkdir(parents=True)
    packages.symlink_to(classic.packages, target_is_directory=True)
    for name in ("classify", "status", "image_classifier", "models", "host.json"):
        (arriving / name).symlink_to(ROOT / name)
    path = f"{root / '.python_packages' / 'lib' / 'site-packages'}:{worker}"
    waiting = {"CONTAINER_NAME": "waiting", "WEBSITE_PLACEHOLDER_MODE": "1", "PYTHONPATH": path}
    settings = {
        **APP_SETTINGS,
        **setting,
        "CONTAINER_NAME": "waiting",
        "AzureWebJobsScriptRoot": str(root),
        "PYTHONPATH": path,
    }
    told = {
        **orders(),
        "specialise": {"from": str(arriving), "to": str(root), "settings": settings},
    }
    environ = classic.environ({**waiting, "AzureWebJobsScriptRoot": "/tmp/standby/wwwroot"})
    return run([classic.python, "-m", "azure_functions_worker"], environ, told, cwd=tmp_path)


def check_that_it_says_what_to_set(said: dict[str, Any]) -> None:
    """Every answer is 503 and has the one sentence, with the cause and the setting."""
    status, first, second = said["answers"]
    sentence = status["body"]["message"]

    assert said["started with"].startswith("4.25.")
    assert (status["status"], first["status"], second["status"]) == (503, 503, 503)
    assert first["body"] == second["body"]
    assert first["body"]["error"] == {"code": "ModelError", "message": sentence}
    assert sentence.startswith(
        "The package tensorflow is installed but cannot be imported (ImportError: cannot import "
        "name 'runtime_version' from 'google.protobuf'"
    )
    assert f"because protobuf {said['started with']} in {said['worker']} was imported" in sentence
    assert f"set {SETTING}=1 or use Python 3.13" in sentence
    assert sentence.count(". ") == 0
    engines = {engine["name"]: engine for engine in status["body"]["engines"]}
    assert engines["tensorflow"] == {"name": "tensorflow", "installed": True, "message": sentence}
    assert all("message" not in engines[name] for name in ENGINES if name != "tensorflow")


def check_that_it_classifies(said: dict[str, Any]) -> None:
    status, *answers = said["answers"]

    assert said["started with"].startswith("4.25."), "the worker began with its own"
    assert not said["ended with"].startswith("4.25."), "the app has its own"
    assert (status["status"], status["body"]["status"]) == (200, "ready")
    for answer in answers:
        assert answer["status"] == 200
        assert answer["engine"].startswith("tensorflow")
        assert answer["body"]["predictedTagName"] == SAMPLE["label"]


def test_core_tools_without_the_setting_get_the_sentence(
    tmp_path: Path, worker_files: Path
) -> None:
    check_that_it_says_what_to_set(in_core_tools(tmp_path, worker_files, {}))


def test_core_tools_with_the_setting_run_tensorflow(tmp_path: Path, worker_files: Path) -> None:
    check_that_it_classifies(in_core_tools(tmp_path, worker_files, {SETTING: "1"}))


def test_container_without_the_setting_gets_the_sentence(
    tmp_path: Path, worker_files: Path, classic: Classic
) -> None:
    check_that_it_says_what_to_set(in_container(tmp_path, worker_files, classic, {}))


def test_container_with_the_setting_runs_tensorflow(
    tmp_path: Path, worker_files: Path, classic: Classic
) -> None:
    check_that_it_classifies(in_container(tmp_path, worker_files, classic, {SETTING: "1"}))


def test_flex_consumption_without_the_setting_gets_the_sentence(
    tmp_path: Path, worker_files: Path, classic: Classic
) -> None:
    check_that_it_says_what_to_set(in_flex_consumption(tmp_path, worker_files, classic, {}))


def test_flex_consumption_with_the_setting_runs_tensorflow(
    tmp_path: Path, worker_files: Path, classic: Classic
) -> None:
    check_that_it_classifies(in_flex_consumption(tmp_path, worker_files, classic, {SETTING: "1"}))
