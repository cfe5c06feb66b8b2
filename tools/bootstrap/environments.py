"""Makes virtual environments once, repairs interrupted ones, and renews them after changes.

Standard library only, and no syntax that Python 3.8 would not read: `dev.py` imports this before
anything is installed.
"""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.bootstrap.exclusive import exclusive

__all__ = [
    "EnvironmentSetupError",
    "find_python",
    "has_node",
    "install_node_packages",
    "install_page_scripts",
    "is_ready",
    "make_venv",
    "venv_python",
]

ROOT = Path(__file__).resolve().parents[2]
STAMP = ".dev-stamp"
ADVICE = (
    "Check the network and the free disk space (4 GB), then run the same command again: it goes on "
    "where it stopped. On Debian and Ubuntu, `apt-get install python3-venv` may be needed first."
)


class EnvironmentSetupError(Exception):
    """The environment of the user lacks something; the message has the reason and the advice."""


def venv_python(folder: Path) -> Path:
    """Returns the path of the interpreter of a virtual environment, which may not exist yet."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_ready(
    folder: Path,
    version: str,
    requirements: Sequence[Path],
    packages: Sequence[str] = (),
    without_dependencies: Sequence[Path] = (),
) -> bool:
    """Whether `make_venv` with the same arguments would have nothing to do."""
    fingerprint = _fingerprint([version, *packages], [*requirements, *without_dependencies])
    return venv_python(folder).exists() and _stamp_of(folder) == fingerprint


def make_venv(
    folder: Path,
    python: str,
    version: str,
    requirements: Sequence[Path],
    packages: Sequence[str] = (),
    without_dependencies: Sequence[Path] = (),
) -> bool:
    """Makes or repairs a virtual environment.

    Args:
        folder: of the environment.
        python: the interpreter to make it with.
        version: of that interpreter, such as 3.12.
        requirements: requirements files; a change in one installs again.
        packages: requirements that stand in no file, installed after the files: these have hashes,
            and then pip asks for the hashes of all that it installs in the same call.
        without_dependencies: requirements files whose packages are installed last, without their
            dependencies.

    Returns:
        Whether there was anything to do.

    Raises:
        EnvironmentSetupError: a step failed; the message has its last lines and the advice.
    """
    if is_ready(folder, version, requirements, packages, without_dependencies):
        return False
    with exclusive(folder):
        # Another process may have done it meanwhile.
        if is_ready(folder, version, requirements, packages, without_dependencies):
            return False
        _install_venv(folder, python, version, requirements, packages, without_dependencies)
    return True


def _install_venv(
    folder: Path,
    python: str,
    version: str,
    requirements: Sequence[Path],
    packages: Sequence[str],
    without_dependencies: Sequence[Path],
) -> None:
    # Without the stamp, an installation that is interrupted from here on is repeated next time.
    if (folder / STAMP).exists():
        (folder / STAMP).unlink()
    if not venv_python(folder).exists() or _version_of(folder) != version:
        command = [python, "-m", "venv", "--clear", str(folder)]
        run_quietly(command, f"Making {folder.name} (Python {version})", ADVICE)
    files = [argument for file in requirements for argument in ("-r", str(file))]
    pip = [str(venv_python(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    size = "TensorFlow and the rest: a few minutes and 2 GB, once"
    run_quietly([*pip, "install", *files], f"Installing into {folder.name} ({size})", ADVICE)
    if packages:
        command = [*pip, "install", *packages]
        run_quietly(command, f"Installing {', '.join(packages)} into {folder.name}", ADVICE)
    for file in without_dependencies:
        command = [*pip, "install", "--no-deps", "-r", str(file)]
        run_quietly(command, f"Installing {file.name} into {folder.name}", ADVICE)
    fingerprint = _fingerprint([version, *packages], [*requirements, *without_dependencies])
    (folder / STAMP).write_text(fingerprint, "utf-8")


def install_page_scripts(frontend: Path) -> bool:
    """Runs `npm ci` for the pages if Node is installed; else they use a CDN.

    Returns:
        Whether there was anything to do.
    """
    if not has_node() or not (frontend / "package-lock.json").is_file():
        return False
    made = [*sorted(frontend.glob("scripts/*.mjs")), frontend / "vendor"]
    try:
        return install_node_packages(frontend, "the page's scripts", made)
    except EnvironmentSetupError as failure:
        print(f"{failure}Until it works, the page takes its scripts from the CDN.")
        return True


def has_node() -> bool:
    """Whether Node.js and npm are on the PATH."""
    return shutil.which("npm") is not None and shutil.which("node") is not None


def install_node_packages(folder: Path, what: str, also: Sequence[Path] = ()) -> bool:
    """Runs `npm ci` in a folder unless the packages of its lock file are installed.

    Args:
        folder: it has a package.json and a package-lock.json.
        what: the name of the packages on the terminal.
        also: files whose change installs again, and folders that the installation makes.

    Returns:
        Whether there was anything to do.

    Raises:
        EnvironmentSetupError: npm is missing or failed; the message has its last lines.
    """
    modules = folder / "node_modules"
    files = [path for path in also if path.suffix]
    fingerprint = _fingerprint([], [folder / "package-lock.json", folder / "package.json", *files])

    def is_there() -> bool:
        return _stamp_of(modules) == fingerprint and all(path.exists() for path in also)

    if is_there():
        return False
    npm = shutil.which("npm")
    if npm is None or not has_node():
        raise EnvironmentSetupError(
            f"Node.js with npm is needed for {what}: install Node.js 20 or newer."
        )
    with exclusive(folder):
        if is_there():  # another process has installed it meanwhile
            return False
        run_quietly(
            [npm, "ci", "--no-audit", "--no-fund"],
            f"Installing {what} (npm ci in {folder.name}/)",
            "Check the network, then run the same command again.",
            cwd=folder,
        )
        (modules / STAMP).write_text(fingerprint, "utf-8")
    return True


def find_python(version: str) -> str | None:
    """Finds the path of an interpreter of a version, such as 3.13, that runs; None without one."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    commands = [[sys.executable], [f"python{version}"], ["py", f"-{version}"]]
    commands += [[str(path)] for path in sorted(pyenv.glob(f"versions/{version}*/bin/python"))]
    commands += [[path] for path in [_output_of(["uv", "python", "find", version])] if path]
    # Each is run, because pyenv has shims on the PATH for versions that are not active, too.
    question = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for command in commands:
        answer, _, path = _output_of([*command, "-c", question]).partition(" ")
        if answer == version:
            return path
    return None


def run_quietly(command: Sequence[str], what: str, advice: str, cwd: Path = ROOT) -> None:
    """Runs a command and shows only its newest line, on terminals.

    Raises:
        EnvironmentSetupError: its status is not 0; the message has its last lines.
    """
    print(f"{what} …")
    began = time.monotonic()
    live = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns - 1
    last_lines: collections.deque[str] = collections.deque(maxlen=15)
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last_lines.append(line.rstrip())
            if live:
                print("\r" + f"  {line.strip()}"[:width].ljust(width), end="", flush=True)
    if live:
        print("\r" + " " * width + "\r", end="")
    if process.returncode != 0:
        shown = "".join(f"  | {line}\n" for line in last_lines)
        raise EnvironmentSetupError(f"{shown}That failed (exit {process.returncode}). {advice}")
    print(f"  done in {time.monotonic() - began:.0f} s")


def _output_of(command: Sequence[str]) -> str:
    """Returns the output of a command; empty if it is missing or fails."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, encoding="utf-8", errors="replace"
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _version_of(folder: Path) -> str:
    """Returns the Python version of a virtual environment; empty if it has none."""
    config = folder / "pyvenv.cfg"
    for line in config.read_text("utf-8").splitlines() if config.is_file() else []:
        key, _, value = line.partition("=")
        if key.strip() in (
            "version",
            "version_info",
        ):  # the key of venv, and that of virtualenv and uv
            return ".".join(value.strip().split(".")[:2])
    return ""


def _fingerprint(words: Sequence[str], files: Sequence[Path]) -> str:
    """Returns a digest that changes with the packages to install."""
    digest = hashlib.sha256("\n".join(words).encode())
    for file in files:
        # A checkout with CRLF names the same packages.
        digest.update(b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _stamp_of(folder: Path) -> str | None:
    stamp = folder / STAMP
    return stamp.read_text("utf-8") if stamp.is_file() else None
