"""The actions and views of a watcher of the live page, in words that the tests are written with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.frontend.live_site import LiveSite

SAMPLE = "samples/seven.png"

_ids = itertools.count(1)


def result(site: LiveSite, tag: str | None = "7", **changes: Any) -> dict[str, Any]:
    """A message ``newResult`` as ``classify_queue`` sends it, with an id of its own."""
    probability = changes.get("probability", 0.987)
    message = {
        "id": f"r{next(_ids)}",
        "url": f"{site.url}/{SAMPLE}",
        "predictedTagName": tag,
        "probability": probability,
        "prediction": [{"tagName": tag, "probability": probability}],
        "milliseconds": 31.4,
        "model": "digits/1",
    }
    return message | changes


def failure(code: str = "FetchFailed", reason: str = "It said 404.", **changes: Any) -> Any:
    """A message ``newFailure``, likewise."""
    url = "https://images.example.com/gone.jpg"
    error = {"code": code, "message": reason}
    return {"id": f"f{next(_ids)}", "url": url, "error": error, "dequeueCount": 1} | changes


def watch(page: Page, site: LiveSite, query: str = "") -> None:
    """Opens the page and waits until it is connected."""
    page.goto(f"{site.url}/live.html{query}")
    wait_until_connected(page)


def wait_until_connected(page: Page) -> None:
    page.locator(".light.connected").wait_for(state="attached")


def wait_for(page: Page, **numbers: int) -> None:
    """Waits until the totals (done, failed, repeats) are these, with commas as people read them."""
    for name, number in numbers.items():
        page.locator(f"#{name}").get_by_text(f"{number:,}", exact=True).wait_for()


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Looks again and again: under load the lists follow the totals by up to a second."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it did not become true"
        page.wait_for_timeout(20)


def connection_words(page: Page) -> str:
    return page.locator("header .state").inner_text()


def notice(page: Page) -> Locator:
    return page.locator("div.notice")


def shown_results(page: Page) -> list[tuple[str, str]]:
    """Tag and probability of each result, the newest first."""
    cards = page.get_by_role("list", name="Latest results").locator("li")
    words = cards.evaluate_all(
        "cards => cards.map((card) => ['.tag', '.value']"
        ".map((part) => card.querySelector(part)?.textContent ?? ''))"
    )
    return [(tag, value) for tag, value in words]


def shown_tags(page: Page) -> list[list[str]]:
    """Name, count and share of each bar."""
    rows = page.get_by_role("list", name="Tags").locator("li")
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.map((row) => ['.name', '.value', '.share']"
        ".map((part) => row.querySelector(part).textContent))"
    )
    return found


def shown_failures(page: Page) -> list[str]:
    return page.locator(".failures li").all_inner_texts()
