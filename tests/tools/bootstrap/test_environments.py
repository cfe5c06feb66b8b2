"""Real virtual environments, small ones: nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools.bootstrap.environments import (
    EnvironmentSetupError,
    find_python,
    install_page_scripts,
    is_ready,
    make_venv,
    venv_python,
)

pytestmark = pytest.mark.process

VERSION = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that holds one empty module, made by hand, so that pip needs no network."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel = folder / "nothing_much-1.0-py3-none-any.whl"
    info = "nothing_much-1.0.dist-info"
    files = {
        "nothing_much.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: nothing-much\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        archive.writestr(f"{info}/RECORD", record)
    return wheel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, package: Path) -> tuple[Path, Path]:
    """An environment that was made once, and its requirements file."""
    folder = tmp_path_factory.mktemp("made")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package}\n")
    assert make_venv(folder / "venv", sys.executable, VERSION, [requirements])
    return folder / "venv", requirements


def imports(venv: Path, module: str) -> bool:
    done = subprocess.run([str(venv_python(venv)), "-c", f"import {module}"], capture_output=True)
    return done.returncode == 0


def test_environment_holds_what_is_required(made: tuple[Path, Path]) -> None:
    venv, requirements = made

    assert imports(venv, "nothing_much")
    assert not imports(venv, "numpy")
    assert is_ready(venv, VERSION, [requirements])


def test_second_run_does_nothing_and_is_quick(
    made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    venv, requirements = made
    began = time.monotonic()

    assert not make_venv(venv, "no-such-python", VERSION, [requirements])
    assert time.monotonic() - began < 1
    assert capsys.readouterr().out == ""


def test_line_ends_of_a_windows_checkout_change_nothing(made: tuple[Path, Path]) -> None:
    venv, requirements = made
    with_crlf = requirements.with_name("crlf.txt")
    with_crlf.write_bytes(requirements.read_bytes().replace(b"\n", b"\r\n"))

    assert is_ready(venv, VERSION, [with_crlf])


def test_another_requirement_version_or_package_installs_again(made: tuple[Path, Path]) -> None:
    venv, requirements = made
    changed = requirements.with_name("changed.txt")
    changed.write_text(requirements.read_text() + "six\n")

    assert not is_ready(venv, VERSION, [changed])
    assert not is_ready(venv, "3.99", [requirements])
    assert not is_ready(venv, VERSION, [requirements], ["six"])
    assert not is_ready(venv.with_name("absent"), VERSION, [requirements])


def test_failed_install_says_why_and_is_repeated(
    made: tuple[Path, Path], package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv, _ = made
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("./there_is_no_such.whl\n")

    with pytest.raises(EnvironmentSetupError, match="no_such") as failure:
        make_venv(venv, sys.executable, VERSION, [requirements])
    assert "free disk space" in str(failure.value)
    assert "exit 1" in str(failure.value)
    assert len(str(failure.value).splitlines()) < 20
    assert not is_ready(venv, VERSION, [requirements])

    requirements.write_text(f"{package}\n")
    assert make_venv(venv, sys.executable, VERSION, [requirements])
    assert is_ready(venv, VERSION, [requirements])
    assert "done in" in capsys.readouterr().out


def test_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    other = next((v for v in ("3.12", "3.13", "3.11", "3.10") if v != VERSION), "")
    python = find_python(other)
    if python is None:
        pytest.skip(f"there is no Python {other} beside this {VERSION}")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("")
    venv = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True)

    assert make_venv(venv, sys.executable, VERSION, [requirements])
    question = [str(venv_python(venv)), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(question, capture_output=True, text=True)
    assert done.stdout.strip() == VERSION


def test_find_python_finds_the_one_that_runs_this() -> None:
    found = find_python(VERSION)

    assert found is not None
    assert Path(found).exists()


def test_find_python_believes_no_name_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pyenv shim of a version that is not active, or one that answers for another version."""
    if os.name == "nt":
        pytest.skip("a shell script cannot stand in for python3.99 on Windows")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'not found' >&2\nexit 127\n")
    shim.chmod(0o755)

    assert find_python("3.99") is None
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    assert find_python("3.99") is None
    shim.write_text("#!/bin/sh\necho 3.99 /opt/python3.99\n")
    assert find_python("3.99") == "/opt/python3.99"


def test_page_scripts_are_left_alone_without_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package-lock.json").write_text("{}")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not install_page_scripts(tmp_path)


def test_page_scripts_are_installed_once(tmp_path: Path) -> None:
    """A real `npm ci` over a package that depends on nothing."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on the PATH")
    name = '"name": "page", "version": "1.0.0"'
    script = '"scripts": {"postinstall": "node scripts/vendor.mjs"}'
    (tmp_path / "package.json").write_text(f"{{{name}, {script}}}")
    lock = f'{{{name}, "lockfileVersion": 3, "packages": {{"": {{{name}}}}}}}'
    (tmp_path / "package-lock.json").write_text(lock)
    vendor = 'import { mkdirSync } from "node:fs"; mkdirSync("vendor"); mkdirSync("node_modules");'
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "vendor.mjs").write_text(vendor)

    assert install_page_scripts(tmp_path)
    assert (tmp_path / "vendor").is_dir()
    assert not install_page_scripts(tmp_path)
    (tmp_path / "vendor").rmdir()
    (tmp_path / "scripts" / "vendor.mjs").write_text(vendor + "\n")
    assert install_page_scripts(tmp_path)


def test_failing_npm_leaves_the_page_to_the_cdn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm on the PATH")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "package-lock.json").write_text("this is no lock file")

    assert install_page_scripts(tmp_path)
    said = capsys.readouterr().out
    assert "npm" in said
    assert "CDN" in said


def test_some_packages_are_installed_without_what_they_ask_for(
    tmp_path: Path, package: Path
) -> None:
    greedy = tmp_path / "greedy-1.0-py3-none-any.whl"
    info = "greedy-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: greedy\nVersion: 1.0\nRequires-Dist: is-not-there\n"
    with ZipFile(greedy, "w") as archive:
        archive.writestr("greedy.py", "")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    files = tmp_path / "requirements.txt", tmp_path / "no-deps.txt"
    for file, wheel in zip(files, (package, greedy), strict=True):
        file.write_text(f"{wheel}\n")
    venv = tmp_path / "venv"
    arguments = (VERSION, [files[0]], (), [files[1]])

    assert make_venv(venv, sys.executable, *arguments)
    assert imports(venv, "greedy") and imports(venv, "nothing_much")
    assert is_ready(venv, *arguments)
    files[1].write_text(f"{greedy}\n# changed\n")
    assert not is_ready(venv, *arguments)
