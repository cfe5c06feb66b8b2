"""Libraries are pinned: one version and one file, wherever a page may take them from."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
SCRIPTS = [path.relative_to(FRONTEND).as_posix() for path in FRONTEND.glob("scripts/**/*.js")]
PACKAGES = {"vue.global.prod.js": "vue", "signalr.min.js": "@microsoft/signalr"}
# Which libraries each page may load, in which file it says so.
PINS = {
    "index.html": ["vue"],
    "api.html": ["vue"],
    "live.html": ["@microsoft/signalr", "vue"],
    "scripts/libraries.js": ["@microsoft/signalr", "vue"],
}


def text_of(name: str) -> str:
    return (FRONTEND / name).read_text(encoding="utf-8")


def package() -> Any:
    return json.loads(text_of("package.json"))


@pytest.mark.parametrize("name", PINS)
def test_pages_package_and_lock_file_name_one_exact_version(name: str) -> None:
    wanted = package()["dependencies"]
    lock = json.loads(text_of("package-lock.json"))
    found = set(re.findall(r"/npm/((?:@[^/@]+/)?[^/@]+)@([^/]+)/", text_of(name)))

    assert sorted(library for library, _ in found) == PINS[name]
    for library, version in found:
        assert version == wanted[library]
        assert lock["packages"][f"node_modules/{library}"]["version"] == version


def test_lock_file_has_hashes_and_names_no_registry() -> None:
    lock = json.loads(text_of("package-lock.json"))
    packages = [entry for name, entry in lock["packages"].items() if name]

    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages)
    assert not any("resolved" in entry for entry in packages)


@pytest.mark.parametrize("name", ["index.html", "scripts/libraries.js"])
def test_integrity_is_that_of_the_installed_file(name: str) -> None:
    pins = re.findall(
        r"local: 'vendor/([^']+)',\s+cdn: '([^']+)',\s+integrity: '([^']+)'", text_of(name)
    )

    assert sorted(PACKAGES[file] for file, _, _ in pins) == PINS[name]
    for file, address, integrity in pins:
        path = FRONTEND / "vendor" / file
        if not path.exists():
            pytest.skip("frontend/vendor is not complete: run `npm ci` in the folder frontend")
        digest = base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()
        assert integrity == f"sha384-{digest}"
        assert address.endswith(f"/{file}")


@pytest.mark.parametrize("name", ["index.html", *SCRIPTS])
def test_nothing_else_is_loaded_from_elsewhere(name: str) -> None:
    text = text_of(name)
    addresses = set(re.findall(r"""(?:src|href|import|from)\s*[=(]?\s*["'](https?:[^"']*)""", text))

    assert addresses == set()
    assert "v-html" not in text
    assert "innerHTML" not in text


@pytest.mark.parametrize(
    ("page", "script"), [("live.html", "scripts/live/page.js"), ("api.html", "scripts/api/page.js")]
)
def test_these_pages_run_no_inline_script(page: str, script: str) -> None:
    """What the live page shows was written by others, so not even its own may be inline."""
    text = text_of(page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    scripts = re.search(r"script-src ([^;]+);", policy[1])
    assert scripts

    assert policy[1].startswith("default-src 'none';")
    assert "'unsafe-inline'" not in scripts[1]
    assert re.findall(r"<script(.*?)>(.*?)</script>", text, re.DOTALL) == [
        (f' type="module" src="{script}"', "")
    ]
    assert not re.search(r"\son[a-z]+=", text)
    assert not {"v-html", "innerHTML"} & set(re.findall(r"[\w-]+", text))
