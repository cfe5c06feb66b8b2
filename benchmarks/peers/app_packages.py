"""Lists the packages that the app's own code needs in the peers' environments.

``python -m benchmarks.peers.app_packages`` imports the work that all peers share, and prints each
package that was imported with it, in the version of the environment that runs it.
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata

from benchmarks import ROOT

__all__ = ["app_packages"]

WORK = "benchmarks.peers.apps.work"


@functools.cache
def app_packages() -> tuple[str, ...]:
    """Lists the requirements, such as ``pillow==13.0.0``, sorted.

    In a process of its own: what this one has imported already would count.
    """
    command = [sys.executable, "-m", "benchmarks.peers.app_packages"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return tuple(done.stdout.split())


def requirements_of(modules: Iterable[str]) -> list[str]:
    """Lists the packages of imported modules, pinned, without Python's own and this project's."""
    distributions = metadata.packages_distributions()
    names = {name for module in modules for name in distributions.get(module.partition(".")[0], ())}
    return sorted(f"{name.lower()}=={metadata.version(name)}" for name in names)


def main() -> None:
    """Prints one requirement on each line."""
    before = set(sys.modules)
    importlib.import_module(WORK)
    print("\n".join(requirements_of(sys.modules.keys() - before)))


if __name__ == "__main__":
    main()
