"""Makes the peers' virtual environments beside the project's own, each when it is first needed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import ROOT
from benchmarks.peers.app_packages import app_packages
from tools.bootstrap.environments import (
    EnvironmentSetupError,
    find_python,
    run_quietly,
    venv_python,
)

__all__ = ["PEERS", "NotInstalled", "peer_python"]

PEERS = {
    "azureml": "azureml-inference-server-http==1.5.1",
    "litserve": "litserve==0.2.19",
    "bentoml": "bentoml==1.4.39",
}
# The peers run on the Python of the app that they are compared with.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
STAMP = ".installed"


class NotInstalled(Exception):
    """A peer cannot be installed here; the message says why."""


def peer_python(name: str, root: Path = ROOT) -> Path:
    """Returns the interpreter of a peer's environment and makes the environment if it is missing.

    An environment is kept as long as the versions in its stamp are the requested ones, also from
    one checkout to the next: a cache of ``.venv-peer-*`` saves the installation.

    Args:
        name: a key of ``PEERS``.
        root: the folder of the environments.

    Raises:
        NotInstalled: there is no such Python, or pip failed.
    """
    folder = root / f".venv-peer-{name}"
    requirements = [PEERS[name], *app_packages()]
    requested = "\n".join([PYTHON, *requirements])
    with _lock():
        stamp = folder / STAMP
        if stamp.is_file() and stamp.read_text("utf-8") == requested:
            return venv_python(folder)
        try:
            _install(folder, requirements)
        except EnvironmentSetupError as exc:
            shutil.rmtree(folder, ignore_errors=True)
            raise NotInstalled(str(exc)) from exc
        stamp.write_text(requested, "utf-8")
        return venv_python(folder)


def _install(folder: Path, requirements: list[str]) -> None:
    python = find_python(PYTHON)
    if python is None:
        raise NotInstalled(f"Python {PYTHON} is not here")
    pip = [str(venv_python(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    title = f"Installing {requirements[0]} into {folder.name} (300 MB, once)"
    run_quietly([python, "-m", "venv", "--clear", str(folder)], f"Making {folder.name}", "")
    run_quietly([*pip, "install", *requirements], title, "")


@contextmanager
def _lock() -> Iterator[None]:
    """Lets one process at a time make environments."""
    import fcntl  # not on Windows, where the peers do not run

    with Path(__file__).open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
