"""The folders and packages that the laws of the house are checked against."""

from __future__ import annotations

from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.bootstrap.lock_file import read_lock

ROOT = Path(__file__).resolve().parents[2]


def top_level_folders() -> list[Path]:
    return sorted(path for path in ROOT.iterdir() if path.is_dir())


def function_folders() -> list[Path]:
    return [folder for folder in top_level_folders() if (folder / "function.json").is_file()]


def deployed_distributions() -> set[str]:
    """What requirements.txt, with all that its packages need, installs on this machine."""
    packages = read_lock((ROOT / "requirements.txt").read_text("utf-8"))
    requirements = [Requirement(each.requirement) for each in packages]
    return {
        canonicalize_name(each.name)
        for each in requirements
        if each.marker is None or each.marker.evaluate()
    }


def deployed_names() -> set[str]:
    """The top-level names that those distributions bring."""
    deployed = deployed_distributions()
    return {
        name
        for name, distributions in packages_distributions().items()
        if deployed & {canonicalize_name(distribution) for distribution in distributions}
    }
