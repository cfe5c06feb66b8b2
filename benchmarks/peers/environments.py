"""The peers' virtual environments: made when first needed, beside the project's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks import ROOT
from tools.bootstrap.environments import (
    EnvironmentSetupError,
    find_python,
    run_quietly,
    venv_python,
)

PYTHON = "3.11"
# What the shared work needs, in the project's own versions.
SHARED = (
    "certifi==2026.10.18",
    "idna==3.20",
    "numpy==2.4.6",
    "onnxruntime==1.31.1",
    "pillow==13.0.0",
)
PEERS = {
    "azureml": "azureml-inference-server-http==1.5.1",
    "litserve": "litserve==0.2.19",
    "bentoml": "bentoml==1.4.39",
}
STAMP = ".installed"


class NotInstalled(Exception):
    """A peer cannot be had here; the message says why."""


def peer_python(name: str) -> Path:
    """The interpreter of a peer's environment, which is made now unless it is there.

    Raises:
        NotInstalled: there is no such Python, or pip failed.
    """
    folder = ROOT / f".venv-peer-{name}"
    wanted = "\n".join([PYTHON, PEERS[name], *SHARED])
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return venv_python(folder)
    python = find_python(PYTHON)
    if python is None:
        raise NotInstalled(f"Python {PYTHON} is not here")
    pip = [str(venv_python(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    what = f"Installing {PEERS[name]} into {folder.name} (300 MB, once)"
    try:
        run_quietly([python, "-m", "venv", "--clear", str(folder)], f"Making {folder.name}", "")
        run_quietly([*pip, "install", PEERS[name], *SHARED], what, "")
    except EnvironmentSetupError as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotInstalled(str(exc)) from exc
    stamp.write_text(wanted, "utf-8")
    return venv_python(folder)
