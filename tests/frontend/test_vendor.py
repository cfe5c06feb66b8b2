"""Vue is pinned: the same version and the same file everywhere that the page may take it from."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
PAGE = (FRONTEND / "index.html").read_text(encoding="utf-8")


def test_page_package_and_lock_file_name_one_exact_version() -> None:
    package = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))
    in_page = set(re.findall(r"/npm/vue@([^/]+)/", PAGE))

    assert in_page == {package["dependencies"]["vue"]}
    assert lock["packages"]["node_modules/vue"]["version"] == package["dependencies"]["vue"]


def test_lock_file_has_hashes_and_names_no_registry() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))
    packages = [entry for name, entry in lock["packages"].items() if name]

    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages)
    assert not any("resolved" in entry for entry in packages)


def test_integrity_in_the_page_is_that_of_the_installed_file() -> None:
    file = FRONTEND / "vendor" / "vue.global.prod.js"
    if not file.exists():
        pytest.skip("frontend/vendor is empty: run `npm ci` in the folder frontend")
    digest = base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()

    assert f"integrity: 'sha384-{digest}'" in PAGE


def test_the_page_loads_nothing_else_from_elsewhere() -> None:
    addresses = set(re.findall(r"""(?:src|href|import)\s*[=(]?\s*["'](https?:[^"']*)""", PAGE))

    assert addresses == set()
    assert "v-html" not in PAGE
