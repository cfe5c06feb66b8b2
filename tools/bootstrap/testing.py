"""Installs the packages of tests beside `.venv`, and lists tests that cannot run here.

Standard library only: `dev.py` imports this before anything is installed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tools.bootstrap.azurite_emulator import install as install_azurite
from tools.bootstrap.classic_worker import (
    CLASSIC_VERSION,
    app_packages,
    classic_python,
    worker_packages,
)
from tools.bootstrap.environments import (
    find_python,
    has_node,
    install_node_packages,
    make_venv,
    venv_python,
)

__all__ = [
    "CHROMIUM_NAMES",
    "CONFORMANCE_VERSION",
    "conformance_python",
    "install_for_tests",
    "left_out",
    "on_all_cores",
]

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Microsoft's runtime wants 3.13, and its wheel brings a package `tests` that would hide ours.
CONFORMANCE_VERSION = "3.13"
CONFORMANCE_VENV = ROOT / ".venv-conformance"
CONFORMANCE_PACKAGES = ["azure-functions-runtime-v1==1.2.0", "protobuf"]

# Each worker may run a TensorFlow and a few servers at once: two gigabytes.
MOST_TEST_WORKERS = 8
# A file's tests stay together, for they share its servers; files are taken in the tests' order,
# which begins with the slow ones.
ON_ALL_CORES = ["--dist", "loadfile", "--no-loadscope-reorder"]


def conformance_python() -> Path | None:
    """An interpreter that has Microsoft's runtime, installed if need be; None without a 3.13."""
    python = os.environ.get("CONFORMANCE_PYTHON") or find_python(CONFORMANCE_VERSION)
    if python is None:
        return None
    files = [ROOT / "requirements.txt"]
    make_venv(CONFORMANCE_VENV, python, CONFORMANCE_VERSION, files, CONFORMANCE_PACKAGES)
    return venv_python(CONFORMANCE_VENV)


def left_out() -> list[str]:
    """Lists the tests that cannot run on this machine, each with its reason."""
    lines = []
    if not any(map(shutil.which, CHROMIUM_NAMES)):
        lines.append("the page in a real browser: no Chromium (Debian: apt-get install chromium)")
    if shutil.which("npm") is None or shutil.which("node") is None:
        lines.append("the page with its own copy of the scripts: no Node.js with npm")
    if not SHARED.is_dir():
        lines.append("real Custom Vision exports, and Microsoft's runtime: no ../shared folder")
    elif not (os.environ.get("CONFORMANCE_PYTHON") or find_python(CONFORMANCE_VERSION)):
        lines.append(f"the app in Microsoft's own runtime: no Python {CONFORMANCE_VERSION}")
    if classic_python() is None:
        lines.append(f"TensorFlow in Azure's classic worker: no Python {CLASSIC_VERSION}")
    return lines


def install_for_tests() -> None:
    """Installs what some tests need beside .venv: inside a test its progress could not be seen."""
    if SHARED.is_dir():
        conformance_python()
    worker_packages()
    if python := classic_python():
        app_packages(python)
    if has_node():
        install_azurite()
        install_node_packages(ROOT / "tests" / "deploy", "Kubernetes' schemas")
        folder = ROOT / "tests" / "support" / "custom_vision_client"
        install_node_packages(folder, "Microsoft's SDK for Custom Vision")


def on_all_cores() -> list[str]:
    """Arguments for pytest: one worker for each core that this process may use."""
    # Not `-n auto`, which counts two threads of a core as one.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return ["-n", str(min(cores, MOST_TEST_WORKERS)), *ON_ALL_CORES]
