"""How frontend/live.html gets its connection, loses it and gets it again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.frontend.reader import FRONTEND, KEY, give_key
from tests.frontend.watcher import (
    SAMPLE,
    connection_words,
    notice,
    result,
    wait_for,
    wait_until_connected,
    watch,
)
from tests.support.servers import free_port

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

    from tests.frontend.live_site import LiveSite

pytestmark = pytest.mark.browser

CDN = "https://cdn.jsdelivr.net/npm/@microsoft/signalr@"


def test_a_lost_connection_comes_back_by_itself(
    page: Page, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console += ["ERR_CONNECTION_REFUSED", "WebSocket connection"]
    watch(page, live_site)
    first = result(live_site)
    live_site.send(first)
    wait_for(page, done=1)
    assert connection_words(page) == "connected"
    spoken = page.get_by_role("status")
    assert spoken.inner_text() == "Connected."

    live_site.stop_service()
    page.get_by_text("The work goes on meanwhile").wait_for()
    page.get_by_text(re.compile(r"reconnecting, (next try in \d+ s|trying now…)")).wait_for()
    page.get_by_text(re.compile(r"SignalR service .*:\d+, does not answer\.")).first.wait_for()
    assert "Trying again." in spoken.inner_text()
    live_site.start_service()
    wait_until_connected(page)

    assert notice(page).count() == 0
    live_site.send(first, result(live_site))
    wait_for(page, done=2, repeats=1)


def test_the_wait_for_the_next_try_can_be_ended(
    page: Page, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console.append("503")
    message = "SignalR is not set up here; AzureSignalRConnectionString is empty."
    live_site.broken = 503, json.dumps({"error": {"code": "ModelError", "message": message}})
    page.goto(f"{live_site.url}/live.html")
    # The fourth wait is 3 s or longer: long enough to press the button in it.
    page.get_by_text(re.compile("refused \\(503\\), next try in [34] s")).wait_for()

    assert message in notice(page).inner_text()
    assert page.locator(".light.bad").count() == 1
    live_site.broken = None
    with page.expect_response("**/api/negotiate*", timeout=1500):
        page.get_by_role("button", name="Try now").click()
    wait_until_connected(page)
    live_site.send(result(live_site))
    wait_for(page, done=1)


def test_a_key_is_asked_for_and_sent_to_the_api_alone(
    page: Page, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console.append("401 (Unauthorized)")
    live_site.keys = KEY
    keyed: list[str] = []

    def see(request: Request) -> None:
        if "x-functions-key" in request.headers:
            keyed.append(request.url)

    page.on("request", see)
    page.goto(f"{live_site.url}/live.html")
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    assert connection_words(page) == "wants a key"
    page.wait_for_function("() => document.activeElement.id === 'key'")
    give_key(page, "two words")
    assert page.get_by_text("A key is one word").is_visible()
    give_key(page, "wrong")
    page.locator("#key-why", has_text="The key is wrong.").wait_for()
    give_key(page, KEY)
    wait_until_connected(page)

    assert keyed
    assert all(url.startswith(f"{live_site.url}/api/negotiate?") for url in keyed)
    assert KEY not in page.content()
    page.reload()
    wait_until_connected(page)  # it is still known in this tab
    page.locator("header summary").click()
    page.get_by_role("button", name="Forget the key").click()
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    assert page.evaluate("Object.values(sessionStorage).length") == 0


def test_a_key_that_is_withdrawn_is_asked_for_after_the_next_loss(
    page: Page, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console += ["401 (Unauthorized)", "ERR_CONNECTION_REFUSED", "WebSocket connection"]
    watch(page, live_site)
    live_site.keys = KEY
    live_site.stop_service()
    live_site.start_service()
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    give_key(page, KEY)
    wait_until_connected(page)


def test_the_page_works_from_any_static_host(
    page: Page, static_site: str, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console.append("404")  # an image has no icon
    live_site.keys = KEY
    page.goto(f"{static_site}/{SAMPLE}")
    page.evaluate(f"sessionStorage.setItem('key for {live_site.url}', '{KEY}')")
    page.goto(f"{static_site}/live.html?api={quote(live_site.url, safe='')}")
    wait_until_connected(page)
    live_site.send(result(live_site))
    wait_for(page, done=1)

    assert page.locator("header .address").inner_text() == live_site.url


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?api=javascript:alert(1)", "must begin with http:// or https://"),
        ("", r"/api/negotiate answered with HTTP 501\. Its log may say more\."),
        ("?api=http://127.0.0.1:CLOSED", "No answer came from .*may not be running.*CORS"),
    ],
)
def test_an_address_without_an_api_is_explained(
    page: Page, static_site: str, expected_in_console: list[str], query: str, words: str
) -> None:
    expected_in_console += ["501", "ERR_CONNECTION_REFUSED"]
    page.goto(f"{static_site}/live.html{query.replace('CLOSED', str(free_port()))}")
    notice(page).wait_for()

    assert re.search(words, notice(page).inner_text())


def test_an_answer_that_is_not_connection_info_is_explained(
    page: Page, live_site: LiveSite
) -> None:
    live_site.broken = 200, "<h1>Welcome</h1>"
    page.goto(f"{live_site.url}/live.html")
    notice(page).wait_for()

    assert "did not answer with connection info" in notice(page).inner_text()
    assert "Welcome" not in page.content()


@pytest.mark.parametrize("body", ["own", None, "window.signalR = {}"])
def test_without_a_local_copy_only_the_pinned_file_is_run(
    page: Page,
    context: BrowserContext,
    live_site: LiveSite,
    expected_in_console: list[str],
    elsewhere: list[str],
    body: str | None,
) -> None:
    expected_in_console += ["404", "ERR_FAILED", "integrity", "could not be loaded"]
    elsewhere.append("cdn.jsdelivr.net")
    if body == "own":
        body = (FRONTEND / "vendor" / "signalr.min.js").read_text(encoding="utf-8")
    cors = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript"}

    def answer(route: Any) -> None:
        if body is None:
            route.abort()
        else:
            route.fulfill(body=body, headers=cors)

    context.route("**/vendor/signalr.min.js", lambda route: route.fulfill(status=404))
    context.route(f"{CDN}**", answer)
    if body and len(body) > 1000:
        watch(page, live_site)
        return
    page.goto(f"{live_site.url}/live.html")
    page.get_by_text("This page cannot start: signalR could not be loaded").wait_for()
    assert page.get_by_role("heading").count() == 0


def test_opened_as_a_file_it_says_what_to_do(page: Page, expected_in_console: list[str]) -> None:
    expected_in_console += ["CORS policy", "ERR_FAILED"]
    page.goto((FRONTEND / "live.html").as_uri())
    assert not page.get_by_text("This takes too long").is_visible()
    page.evaluate("document.getAnimations().forEach((waiting) => waiting.finish())")
    page.get_by_text("It does not work when it is opened as a file").wait_for()

    assert page.get_by_text("python3 dev.py start").is_visible()
