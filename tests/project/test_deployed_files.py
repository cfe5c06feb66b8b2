"""The shipped app: the files that are packed for Azure, and the packages that Azure installs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.support.app_tree import ROOT, function_folders
from tools.bootstrap.lock_file import read_lock
from tools.list_package import list_package

ROOT_FILES = {"host.json", "requirements.txt"}
KILOBYTE = 1024
# Names that are never to be seen in what ships, at any depth.
NEVER = re.compile(r"(^|/)(\.[^/]+|__pycache__|local\.settings\.json.*|tests?|node_modules)(/|$)")

PLATFORMS = {
    "linux-x86_64": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "linux-aarch64": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
    "mac-arm64": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "mac-x86_64": {"sys_platform": "darwin", "platform_machine": "x86_64"},
}
PYTHONS = ("3.11", "3.12", "3.13")


def requirements() -> list[Requirement]:
    packages = read_lock((ROOT / "requirements.txt").read_text("utf-8"))
    return [Requirement(each.requirement) for each in packages]


def named(source: str) -> set[str]:
    """The packages that a source of requirements names itself."""
    lines = (ROOT / source).read_text("utf-8").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    return {Requirement(text).name.lower() for text in texts if text and text[0] != "-"}


def installed_on(platform: str, python: str) -> dict[str, str]:
    here = {key: str(value) for key, value in default_environment().items()}
    environment = {
        **here,
        **PLATFORMS[platform],
        "python_version": python,
        "python_full_version": f"{python}.1",
    }
    applying = [
        each for each in requirements() if each.marker is None or each.marker.evaluate(environment)
    ]
    names = [each.name for each in applying]
    assert len(names) == len(set(names)), "two versions of one package"
    return {each.name: str(each.specifier) for each in applying}


def packed() -> list[str]:
    return [path.as_posix() for path in list_package(ROOT)]


def test_only_functions_package_models_and_two_files_are_packed() -> None:
    folders = {"image_classifier", "models", *(folder.name for folder in function_folders())}
    files = packed()
    strays = [
        file
        for file in files
        if file not in ROOT_FILES and ("/" not in file or file.partition("/")[0] not in folders)
    ]

    assert not strays, "name what does not ship in .funcignore"
    assert set(files) >= ROOT_FILES
    for needed in (
        "classify/__init__.py",
        "classify/function.json",
        "classify_queue/__init__.py",
        "classify_queue/function.json",
        "negotiate/__init__.py",
        "negotiate/function.json",
        "status/__init__.py",
        "image_classifier/__init__.py",
        "image_classifier/bindings/http.py",
        "image_classifier/engines/tensorflow.py",
        "models/digits/1/model.pb",
        "models/digits/1/labels.txt",
    ):
        assert needed in files


def test_nothing_private_and_nothing_left_lying_is_packed() -> None:
    assert not [file for file in packed() if NEVER.search(file)]


def test_the_package_is_small() -> None:
    """Without the user's own models; the code is kilobytes, the demo model under a megabyte."""
    sizes = {file: (ROOT / file).stat().st_size for file in packed()}
    models = ("models/", "classify/model.pb", "classify/labels.txt")
    lock = sizes.pop("requirements.txt")  # the hashes of each package for every platform
    code = sum(size for file, size in sizes.items() if not file.startswith(models))
    demo = sum(size for file, size in sizes.items() if file.startswith("models/digits/"))

    assert 10 * KILOBYTE < code < 600 * KILOBYTE
    assert 10 * KILOBYTE < demo < 1024 * KILOBYTE
    assert lock < 150 * KILOBYTE


def test_traps_in_the_tree_are_not_packed(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".funcignore", tmp_path)
    traps = [
        ".git/config",
        ".gitignore",
        ".venv/lib/python3.11/site-packages/tensorflow/__init__.py",
        ".venv-conformance/pyvenv.cfg",
        ".venv-python3.12/tensorflow/__init__.py",
        ".vscode/settings.json",
        ".mypy_cache/3.11/classify/__init__.data.json",
        "venv/pyvenv.cfg",
        "local.settings.json",
        "local.settings.json.example",
        "tests/.cache/state",
        "tests/local_host/web/test_routes.py",
        "tools/train_demo/data.py",
        "frontend/node_modules/vue/index.js",
        "node_modules/vue/index.js",
        "benchmarks/results/day.json",
        "model_server/grpc.py",
        "__pycache__/dev.cpython-311.pyc",
        "classify/__pycache__/__init__.cpython-311.pyc",
        "image_classifier/engines/__pycache__/tensorflow.cpython-311.pyc",
        "models/digits/.DS_Store",
        "CHANGELOG.md",
        "LICENSE",
        "dev.py",
        "pyproject.toml",
        "requirements-dev.in",
        "requirements-dev.txt",
        "requirements.in",
    ]
    wanted = ["classify/model.pb", "host.json", "models/catdog/1/model.pb", "requirements.txt"]
    for name in traps + wanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    assert [path.as_posix() for path in list_package(tmp_path)] == wanted


def test_requirements_are_pinned_to_one_version_each() -> None:
    for requirement in requirements():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement}: pin it"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_gets_one_tensorflow(platform: str, python: str) -> None:
    installed = installed_on(platform, python)
    tensorflow = [name for name in installed if name.startswith("tensorflow")]

    has_cpu_wheel = platform in ("linux-x86_64", "windows")
    assert tensorflow == ["tensorflow-cpu" if has_cpu_wheel else "tensorflow"]
    assert {"azure-functions", "numpy", "pillow"} <= set(installed)


def test_requirements_leave_the_platforms_own_packages_to_it() -> None:
    """The worker brings these itself; what of them other packages need is locked with these."""
    platform = {"azure-functions-worker", "grpcio", "grpcio-tools", "protobuf"}

    assert not named("requirements.in") & platform
    locked = {requirement.name.lower() for requirement in requirements()}
    assert locked & platform == {"grpcio", "protobuf"}


def test_requirements_hold_no_development_tool() -> None:
    runtime, development = named("requirements.in"), named("requirements-dev.in")

    assert {"pytest", "ruff", "mypy"} <= development
    assert not runtime & development
    locked = {requirement.name.lower() for requirement in requirements()}
    # These are the app's, too: other packages of it need them.
    assert locked & development == {"pyjwt", "requests", "tqdm", "urllib3"}
