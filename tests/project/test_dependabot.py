"""Dependabot looks at every place where something is pinned."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath

import yaml

from tests.support.app_tree import ROOT


def watched() -> dict[str, set[str]]:
    """Ecosystem -> folders, as the file names them."""
    document = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    assert document["version"] == 2
    found: dict[str, set[str]] = {}
    for entry in document["updates"]:
        assert entry["schedule"] == {"interval": "weekly"}
        folders = entry.get("directories", [entry.get("directory")])
        found.setdefault(entry["package-ecosystem"], set()).update(folders)
    return found


def folders_of(pattern: str) -> set[str]:
    """The folders of the repository's files of this name."""
    done = subprocess.run(
        ["git", "ls-files", pattern, f"**/{pattern}"], cwd=ROOT, capture_output=True, text=True
    )
    return {f"/{PurePosixPath(line).parent}".replace("/.", "/") for line in done.stdout.split()}


def test_every_folder_that_pins_something_is_watched() -> None:
    folders = watched()

    assert folders["npm"] == folders_of("package.json")
    assert folders["docker"] == folders_of("*.Dockerfile")
    assert folders["docker-compose"] == folders_of("compose.yaml")
    assert folders["pip"] == folders_of("pyproject.toml") - {"/"}
    # From there the sources name each other: model_server's is read by requirements-dev.in.
    assert folders["uv"] == {"/"}
    assert folders_of("requirements*.in") == {"/", "/model_server"}
    included = (ROOT / "requirements-dev.in").read_text("utf-8")
    assert "\n-r model_server/requirements.in\n" in included
