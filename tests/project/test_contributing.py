"""Checks that the paths in CONTRIBUTING.md exist and that its table names every folder."""

from __future__ import annotations

import re

from tests.support.app_tree import ROOT, function_folders, top_level_folders

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TABLE = PAGE.split("## Where things are\n", 1)[1].split("\nHow a request", 1)[0]
# Beside these names the page says in which folder they are.
WITHIN = ("", "image_classifier/", "tools/", "benchmarks/", "tests/")


def test_every_path_on_the_page_exists() -> None:
    paths = set(re.findall(r"`(\.?[\w.-]+/[\w./-]*)`", PAGE))

    assert len(paths) > 30
    lost = [path for path in paths if not any((ROOT / start / path).exists() for start in WITHIN)]
    assert lost == []


def test_the_table_names_every_folder_of_the_project_and_of_the_package() -> None:
    named = set(re.findall(r"`(?:image_classifier/)?(\w+)/`", TABLE))
    packages = {path.parent.name for path in ROOT.glob("image_classifier/*/__init__.py")}
    folders = {
        folder.name
        for folder in set(top_level_folders()) - set(function_folders())
        if any(folder.glob("README.md")) or any(folder.glob("*/*.py"))
    }
    own = {name for name in folders if name.isidentifier() and not name.startswith("_")}

    assert packages <= named
    assert own - named == {"image_classifier"}
