"""Installs the packages for tests of Azure's classic Python worker, once, beside `.venv`.

Python 3.12 and older run in that worker. It imports packages of its own before the app, among them
a protobuf that is older than the one TensorFlow wants.

Standard library only: `dev.py` imports this before anything is installed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.bootstrap.environments import ADVICE, find_python, run_quietly, venv_python
from tools.bootstrap.exclusive import exclusive
from tools.bootstrap.lock_file import reachable, read_lock

__all__ = ["CLASSIC_VERSION", "app_packages", "classic_python", "worker_packages"]

ROOT = Path(__file__).resolve().parents[2]
CLASSIC_VERSION = "3.12"  # the newest that runs in it

# As the worker's own pyproject.toml has them for these versions of Python (4.40, 2026), without
# grpcio, for nothing here talks to a host.
_WORKER_FOLDER = ROOT / ".venv-classic-worker"
_WORKER_PACKAGES = ["protobuf==4.25.9", "azure-functions==1.24.0"]

# What the app needs to run a model.pb, of what stands in requirements.txt: half a minute to
# install, where all of it takes more than one.
_APP_FOLDER = ROOT / f".venv-python{CLASSIC_VERSION}"
_APP_NAMES = "azure-functions certifi idna numpy pillow pybase64 tensorflow tensorflow-cpu werkzeug"

_STAMP = ".dev-stamp"


def classic_python() -> str | None:
    """Finds an interpreter of the newest version of the classic worker; None without one."""
    return find_python(CLASSIC_VERSION)


def worker_packages() -> Path:
    """Installs the worker's own packages, which run on any Python, and returns their folder.

    Raises:
        EnvironmentSetupError: the installation failed.
    """
    _install(_WORKER_FOLDER, sys.executable, _WORKER_PACKAGES, "Azure's classic worker's packages")
    return _WORKER_FOLDER


def app_packages(python: str) -> Path:
    """Installs the app's packages for an interpreter, and returns their folder.

    Args:
        python: from ``classic_python``.

    Raises:
        EnvironmentSetupError: the installation failed.
    """
    packages = read_lock((ROOT / "requirements.txt").read_text("utf-8"))
    needed = [each.requirement for each in reachable(packages, _APP_NAMES.split())]
    what = f"TensorFlow for Python {CLASSIC_VERSION} (1.5 GB, once)"
    _install(_APP_FOLDER, python, needed, what)
    return _APP_FOLDER


def _install(folder: Path, python: str, packages: Sequence[str], what: str) -> None:
    stamp = folder / _STAMP
    fingerprint = "\n".join([python, *packages])
    with exclusive(folder):
        if stamp.is_file() and stamp.read_text("utf-8") == fingerprint:
            return
        shutil.rmtree(folder, ignore_errors=True)
        ours = venv_python(ROOT / ".venv")
        # The environment's pip, run by the other interpreter, which may have none.
        pip = [str(ours) if ours.exists() else sys.executable, "-m", "pip", "--python", python]
        pip += ["--disable-pip-version-check", "--no-input", "install", "--no-compile"]
        run_quietly([*pip, "--target", str(folder), *packages], f"Installing {what}", ADVICE)
        stamp.write_text(fingerprint, "utf-8")
