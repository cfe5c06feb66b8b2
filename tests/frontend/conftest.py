"""A real Chromium, the page, and the hosts that it talks to."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.frontend.reader import FRONTEND, KEY, ROOT, SAMPLES
from tools.bootstrap.testing import CHROMIUM_NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

    from tests.frontend.live_site import LiveSite
    from tests.support.servers import LocalHost


# What keeps Chromium from calling home, and what it needs inside a container.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for this folder; then Playwright's event loop ends, so that others can run."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("the Python package playwright is not installed")
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} is on the PATH")
    if not (FRONTEND / "vendor" / "vue.global.prod.js").exists():
        pytest.skip("frontend/vendor is empty: run `npm ci` in the folder frontend")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def expected_in_console() -> list[str]:
    """A test that provokes errors puts parts of their console lines here; no other may appear."""
    return []


@pytest.fixture
def elsewhere() -> list[str]:
    """A test that lets the page call another host, and answers in its place, puts the host here."""
    return []


@pytest.fixture
def context(
    browser: Browser, expected_in_console: list[str], elsewhere: list[str]
) -> Iterator[BrowserContext]:
    """A fresh profile that fails its test on any console error and on any call to the outside."""
    complaints: list[str] = []
    hosts: set[str] = set()

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def see(request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https"}:
            hosts.add(urlsplit(request.url).hostname or "")

    context = browser.new_context(viewport={"width": 1100, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(30_000)  # a busy machine may take long to load TensorFlow
    context.on("console", hear)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", see)
    yield context
    context.close()

    unexpected = [
        line for line in complaints if not any(part in line for part in expected_in_console)
    ]
    assert not unexpected
    assert hosts <= {"127.0.0.1", "localhost", *elsewhere}


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def samples() -> list[dict[str, str]]:
    """The sample images, as the page lists them: file, alt and the true label."""
    entries: list[dict[str, str]] = json.loads((SAMPLES / "samples.json").read_text())
    return entries


@pytest.fixture(scope="session")
def keyed_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    """A second host: it wants a key, and has two good versions of a model and a broken one."""
    from tests.support.servers import LocalHost

    models = tmp_path_factory.mktemp("models")
    for version in ("1", "2"):
        shutil.copytree(ROOT / "models" / "digits" / "1", models / "digits" / version)
    shutil.copytree(ROOT / "models" / "digits" / "1", models / "broken" / "1")
    (models / "broken" / "1" / "labels.txt").write_text("only one\n")
    env = {"API_KEYS": f"{KEY},another", "MODELS_DIR": str(models), "DEFAULT_MODEL": "digits"}
    with LocalHost(app_root=ROOT, env=env, workers=1) as host:
        yield host


@pytest.fixture(scope="package")
def running_live_site() -> Iterator[LiveSite]:
    """What the live page talks to, started once."""
    from tests.frontend.live_site import LiveSite

    if not (FRONTEND / "vendor" / "signalr.min.js").exists():
        pytest.skip("frontend/vendor is not complete: run `npm ci` in the folder frontend")
    with LiveSite() as site:
        yield site


@pytest.fixture
def live_site(running_live_site: LiveSite) -> LiveSite:
    """The same, in working order and open to all."""
    running_live_site.restore()
    return running_live_site


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # no connection stays open, so closing the server ends all

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="package")
def static_site() -> Iterator[str]:
    """The same files from a plain static server, as on any web host: another origin, no API."""
    handler = functools.partial(_QuietHandler, directory=os.fspath(FRONTEND))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
