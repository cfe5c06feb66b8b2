"""frontend/live.html by keyboard alone, with a screen reader, and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.reader import FRONTEND, KEY
from tests.frontend.watcher import failure, notice, result, wait_for, wait_until_connected, watch

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.frontend.live_site import LiveSite

pytestmark = pytest.mark.browser

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
LONG = "a-tag-without-any-place-to-break-it-that-is-longer-than-a-phone-is-wide"


def fill(site: LiveSite) -> None:
    site.send(*(result(site, tag) for tag in ("7", "3", None, LONG)))
    site.send(
        failure(reason=f"https://example.com/{LONG * 3}", url=f"https://example.com/{LONG * 3}"),
        failure("InvalidRequest", url=None, text=LONG),
        target="newFailure",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    page: Page, live_site: LiveSite, expected_in_console: list[str], scheme: Any
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in the folder frontend")
    expected_in_console += ["401", "503"]
    page.emulate_media(color_scheme=scheme)

    def violations() -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]

    watch(page, live_site)
    assert violations() == []
    fill(live_site)
    wait_for(page, done=4, failed=2)
    page.locator("header summary").click()
    page.get_by_text("The same as a table").click()
    page.locator("table").wait_for()
    page.get_by_role("button", name="Pause").click()
    assert violations() == []
    live_site.broken = 503, ""
    page.goto(f"{live_site.url}/live.html")
    notice(page).wait_for()
    assert violations() == []
    live_site.broken, live_site.keys = None, KEY
    page.goto(f"{live_site.url}/live.html")
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    assert violations() == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    page: Page, live_site: LiveSite
) -> None:
    watch(page, live_site)
    fill(live_site)
    wait_for(page, done=4, failed=2)
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
              const { activeElement: at } = document;
              const name = at.getAttribute('role') ?? at.textContent.trim().slice(0, 8);
              return [name, getComputedStyle(at).outlineStyle];
            }"""
        )
        assert outline == "solid", f"{name} has no visible focus"
        reached.append(name)
        if name in ("Pause", "The same"):
            page.keyboard.press("Enter")
        if name == "The same":
            page.locator("table").wait_for()

    assert reached == [
        "One imag", "Live", "API", reached[3], "The same", "region", "Pause", "Clear", "region",
    ]  # fmt: skip
    assert reached[3].startswith("API")
    assert page.get_by_text("counting goes on").is_visible()
    assert page.get_by_role("button", name="Resume").get_attribute("aria-pressed") == "true"


def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Any, live_site: LiveSite) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(f"{live_site.url}/live.html")
    wait_until_connected(page)
    empty = page.evaluate("document.documentElement.scrollWidth")
    fill(live_site)
    wait_for(page, done=4, failed=2)
    page.locator(".failures li").first.wait_for()
    page.locator("header summary").click()
    filled = page.evaluate("document.documentElement.scrollWidth")
    outside = page.locator("main *:not(.spoken, svg *)").evaluate_all(
        "parts => parts.filter((part) => part.getBoundingClientRect().right > 360)"
        ".map((part) => part.outerHTML.slice(0, 80))"
    )
    context.close()

    assert (empty, filled) == (360, 360)
    assert outside == []
