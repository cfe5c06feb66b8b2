"""Everything at once: storage emulator, host with two workers, SignalR, a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.frontend.reader import ROOT
from tests.frontend.watcher import (
    shown_failures,
    shown_results,
    wait_for,
    wait_until,
    wait_until_connected,
)
from tests.support.azurite import Queue
from tests.support.servers import LocalHost, clean_environment
from tools.azurite import Azurite

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUEUE = "images"


@pytest.fixture(scope="module")
def live_host(azurite: Azurite) -> Iterator[LocalHost]:
    """The app itself with its queue function on, as ``dev.py live`` runs it."""
    environ = {
        "AzureWebJobsStorage": azurite.connection_string,
        "AzureWebJobs.classify_queue.Disabled": "false",
    }
    for name in (QUEUE, f"{QUEUE}-failed", f"{QUEUE}-poison"):
        Queue(azurite, name)
    with LocalHost(app_root=ROOT, env=environ, workers=2) as host:
        yield host


def enqueue(host: LocalHost, azurite: Azurite, *arguments: str) -> str:
    """Runs ``tools.enqueue`` as people do; returns what it prints."""
    command = [sys.executable, "-m", "tools.enqueue", *arguments, "--base-url", host.url]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment({"AzureWebJobsStorage": azurite.connection_string}),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_200_images_in_200_results_on_the_page(
    page: Page, live_host: LocalHost, azurite: Azurite, samples: list[dict[str, str]]
) -> None:
    page.goto(f"{live_host.url}/live.html")
    wait_until_connected(page)

    said = enqueue(live_host, azurite, "--generate", "--count", "200")

    assert "Queued 200 images" in said
    wait_for(page, done=200, failed=0, repeats=0)
    right = {sample["label"] for sample in samples}
    wait_until(page, lambda: len(shown_results(page)) == 50)
    shown = shown_results(page)
    assert {tag for tag, _ in shown} <= right
    assert page.locator("li img").evaluate_all(
        "images => images.every((image) => image.src.includes('/samples/'))"
    )


def test_what_cannot_be_classified_is_on_the_page_with_its_reason_and_in_its_queue(
    page: Page, live_host: LocalHost, azurite: Azurite
) -> None:
    page.goto(f"{live_host.url}/live.html")
    wait_until_connected(page)
    failed = Queue(azurite, f"{QUEUE}-failed", create=False)
    poison = Queue(azurite, f"{QUEUE}-poison", create=False)

    queue = Queue(azurite, QUEUE, create=False)
    queue.put("", "not a url", "x" * (48 * 1024), f"{live_host.url}/not-there.png")
    queue.put('{"id": "odd", "url": "' + live_host.url + '/samples/seven.png", "model": "cats"}')
    queue.put("*** not base64 ***", encode=False)
    queue.put(f"{live_host.url}/samples/seven.png")

    wait_for(page, done=1, failed=5)
    wait_until(page, lambda: len(shown_failures(page)) == 5)
    reasons = " ".join(shown_failures(page))
    for words in ("InvalidRequest", "FetchFailed", "404", "UnknownModel", "cats", "digits"):
        assert words in reasons
    assert failed.depth() == 5
    live_host.wait_for_log("is not base64")
    wait_until(page, lambda: (poison.depth(), queue.depth()) == (1, 0))
