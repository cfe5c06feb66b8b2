"""Hides installed packages from Python: to an import and to ``find_spec`` they are not there.

With this folder on ``PYTHONPATH`` a process that a test starts hides what TESTS_HIDE names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import DistributionFinder, PathDistribution
from pathlib import Path
from types import ModuleType

__all__ = ["VARIABLE", "hide_packages", "hide_packages_everywhere"]

VARIABLE = "TESTS_HIDE"
_EVERYTHING = DistributionFinder.Context()


def hide_packages(names: Iterable[str]) -> None:
    """Hides these top-level packages, and distributions of these names, from this process."""
    hidden = frozenset(names)

    class Finder(PathFinder):
        @classmethod
        def find_spec(
            cls,
            fullname: str,
            path: Sequence[str] | None = None,
            target: ModuleType | None = None,
        ) -> ModuleSpec | None:
            if fullname.partition(".")[0] in hidden:
                return None
            return super().find_spec(fullname, path, target)

        @classmethod
        def find_distributions(
            cls, context: DistributionFinder.Context = _EVERYTHING
        ) -> Iterable[PathDistribution]:
            if context.name is not None and context.name.replace("-", "_") in hidden:
                return []
            return super().find_distributions(context)

    sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]


def hide_packages_everywhere(names: Sequence[str]) -> None:
    """Hides them from this process and from all Python processes that it starts."""
    hide_packages(names)
    os.environ[VARIABLE] = ",".join(names)
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    hide_packages(os.environ[VARIABLE].split(","))
