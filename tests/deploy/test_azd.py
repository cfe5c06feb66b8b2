"""azure.yaml, without azd: its hooks run as azd runs them, and what they lay out is looked at."""

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

from tools.list_package import list_package
from tools.package import MARKER, WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "azure"


def azure_yaml() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / "azure.yaml").read_text("utf-8"))
    return document


def test_azure_yaml_names_services_that_are_there() -> None:
    """Its keys against those that azd's schema has for them; the schema is in no registry."""
    document = azure_yaml()
    known = {"project", "language", "host", "dist", "hooks", "remoteBuild"}
    hosts = {"api": "function", "web": "staticwebapp"}
    resources = "\n".join(path.read_text("utf-8") for path in FOLDER.glob("*.bicep"))

    assert set(document) == {"name", "requiredVersions", "infra", "services"}
    assert document["requiredVersions"] == {"azd": ">= 1.23.5"}
    assert document["infra"] == {"provider": "bicep", "path": ".", "module": "main"}
    assert (FOLDER / f"{document['infra']['module']}.bicep").is_file()
    assert {name: each["host"] for name, each in document["services"].items()} == hosts
    for name, service in document["services"].items():
        assert set(service) <= known
        # A hook runs here, and a fresh clone has it.
        assert (FOLDER / service["project"]).is_dir()
        assert f"'azd-service-name': '{name}'" in resources
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
    scripts = {path.name for path in (frontend / "dist").rglob("*.*js")}

    not_served = {".npmrc", "README.md", "eslint.config.js", "package.json", "package-lock.json"}
    assert laid_out == {"samples", "scripts", "vendor"} | {
        # By what is left out, so that a new kind of file is not forgotten.
        path.name
        for path in frontend.iterdir()
        if path.is_file() and path.name not in not_served
    }
    assert {"index.html", "live.html", "openapi.json"} <= laid_out
    assert "api_address.js" in scripts
    assert "vendor.mjs" not in scripts
