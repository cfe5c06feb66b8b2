"""What the laws of the house are checked against: the folders and packages that there are."""

from __future__ import annotations

from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def top_level_folders() -> list[Path]:
    return sorted(path for path in ROOT.iterdir() if path.is_dir())


def function_folders() -> list[Path]:
    return [folder for folder in top_level_folders() if (folder / "function.json").is_file()]


def deployed_distributions() -> set[str]:
    """requirements.txt and all that it pulls in, on this machine."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    waiting = [line.partition("#")[0].strip() for line in lines]
    found: set[str] = set()
    while waiting:
        text = waiting.pop()
        if not text:
            continue
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and name not in found:
            found.add(name)
            waiting += requires(name) or []
    return found


def deployed_names() -> set[str]:
    """The top-level names that those distributions bring."""
    deployed = deployed_distributions()
    return {
        name
        for name, distributions in packages_distributions().items()
        if deployed & {canonicalize_name(distribution) for distribution in distributions}
    }
