"""Compiles the sources of the requirements into the locks that pip installs from.

    python -m tools.lock                    after a change of a source
    python -m tools.lock --upgrade          every package to its newest version
    python -m tools.lock --upgrade certifi  these packages only

A source (`requirements.in`) names what the project imports or runs, with the reason for each; its
lock (`requirements.txt`) has these and all that they need, for Python 3.11 to 3.13 and every
platform, with versions and hashes. Without --upgrade, a version that still fits stays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["LOCKS", "compile_command", "main"]

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = "3.11"

# Source -> lock, in the order of compilation: a source constrains itself to the locks before it.
LOCKS = {
    "requirements.in": "requirements.txt",
    "model_server/requirements.in": "model_server/requirements.txt",
    "requirements-dev.in": "requirements-dev.txt",
}


def compile_command(source: str, upgrade: Sequence[str] | None = None) -> list[str]:
    """The command that compiles a source; uv writes most of it at the head of the lock.

    Args:
        source: a key of LOCKS.
        upgrade: packages to bring to their newest version; empty: all; None: none.
    """
    # Dependabot reads the head of a lock to compile in the same way: no other options here.
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", source]
    command += ["--universal", "--generate-hashes", "--python-version", OLDEST_PYTHON]
    command += ["--output-file", LOCKS[source]]
    if upgrade is not None:
        command += [f"--upgrade-package={name}" for name in upgrade] or ["--upgrade"]
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Returns uv's exit status; it has said why on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.lock", description="Compile the requirements into their locks."
    )
    parser.add_argument(
        "--upgrade",
        nargs="*",
        metavar="PACKAGE",
        help="bring these packages to their newest version; without a name, all",
    )
    args = parser.parse_args(argv)
    for source, lock in LOCKS.items():
        print(f"{source} -> {lock} …", flush=True)
        done = subprocess.run(compile_command(source, args.upgrade), cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
