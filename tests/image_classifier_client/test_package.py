"""The package stands alone: what it imports, what it installs, what its page says."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

import image_classifier_client
from image_classifier_client import errors
from image_classifier_client.retries import _FIRST_PAUSE_SECONDS
from tests.support.model_servers import ModelServer
from tests.support.servers import ROOT

FOLDER = ROOT / "image_classifier_client"
README = (FOLDER / "README.md").read_text("utf-8")
DIGITS = ("--model_name=digits", f"--model_base_path={ROOT / 'models' / 'digits'}")
NEEDED = {"grpc", "google", "numpy"}


def test_it_imports_the_standard_library_and_three_packages() -> None:
    found = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or ".").partition(".")[0])

    assert found - set(sys.stdlib_module_names) == NEEDED | {"image_classifier_client"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``pip install`` lays it out; from a copy, because pip builds in the folder itself."""
    root = tmp_path_factory.mktemp("client")
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    source = shutil.copytree(FOLDER, root / "image_classifier_client", ignore=ignored)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(root / "site")]
    subprocess.run([*command, str(source)], check=True, capture_output=True, text=True)
    shutil.rmtree(source)
    return root / "site"


def test_what_is_installed_is_the_package_with_its_types_and_needs_three(installed: Path) -> None:
    (info,) = installed.glob("*.dist-info")
    distribution = Distribution.at(info)
    package = installed / "image_classifier_client"
    names = {path.name for path in package.iterdir() if path.name != "__pycache__"}

    assert names == {path.name for path in FOLDER.glob("*.py")} | {"py.typed"}
    required = {re.split(r"[<>=]", each)[0] for each in distribution.requires or ()}
    assert required == {"grpcio", "numpy", "protobuf"}
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))["project"]
    assert distribution.version == project["version"]


def test_the_licence_is_installed_and_is_the_repositorys(installed: Path) -> None:
    (info,) = installed.glob("*.dist-info")
    licence = (ROOT / "LICENSE").read_bytes()

    assert (info / "licenses" / "LICENSE").read_bytes() == licence
    assert (FOLDER / "LICENSE").read_bytes() == licence


def test_installed_alone_it_asks_a_server_and_loads_nothing_else(
    installed: Path, tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(installed)!r})\n"
        "from image_classifier_client import PredictionClient\n"
        "print(PredictionClient(sys.argv[1]).classify(sys.argv[2], 1)[0].label)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    nine = str(ROOT / "frontend" / "samples" / "nine.png")
    with ModelServer(*DIGITS, rest=False) as server:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, server.address, nine],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    label, _, loaded = done.stdout.partition("\n")

    assert label == "9", done.stderr
    assert {"grpc", "numpy", "image_classifier_client"} <= set(loaded.split())
    ours = {"image_classifier", "model_server", "tools", "tests"}
    assert not set(loaded.split()) & (ours | {"tensorflow", "tensorflow_serving", "PIL"})


def test_all_names_are_there_and_the_errors_are_a_tree() -> None:
    public = image_classifier_client.__all__
    kinds = {name for name in errors.__all__ if name != "error_of"}

    assert public == sorted(public)
    assert all(hasattr(image_classifier_client, name) for name in public)
    assert kinds <= set(public)
    for name in kinds:
        assert issubclass(getattr(errors, name), errors.PredictionError)


def test_the_page_lists_every_error_and_whether_it_is_tried_again() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (yes|no) \|$", README, re.MULTILINE)
    leaves = {name for name in errors.__all__ if name not in ("error_of", "PredictionError")}

    assert {name for name, _ in rows} == leaves
    for name, again in rows:
        assert getattr(errors, name)("").transient == (again == "yes"), name
    assert f"after {_FIRST_PAUSE_SECONDS:g}, " in README


@pytest.mark.parametrize("page", [README, (ROOT / "docs" / "accelerated-clients.md").read_text()])
def test_the_pages_programs_run_as_printed(page: str) -> None:
    programs = [
        program
        for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "azureml"
        not in program  # tests/model_server/accelerated_models/test_requests.py calls that
    ]
    assert programs
    with ModelServer(*DIGITS, rest=False) as server:
        for program in programs:
            assert '"localhost", 8500' in program
            program = program.replace('"localhost", 8500', f'"127.0.0.1", {server.port}')
            done = subprocess.run(
                [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("9")
