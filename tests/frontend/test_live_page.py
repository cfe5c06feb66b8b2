"""frontend/live.html shows the messages that come over the real SignalR client and emulator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.watcher import (
    failure,
    result,
    shown_failures,
    shown_results,
    shown_tags,
    wait_for,
    wait_until,
    watch,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.frontend.live_site import LiveSite

pytestmark = pytest.mark.browser


def test_a_result_is_shown_with_its_image_tag_and_probability(
    page: Page, live_site: LiveSite
) -> None:
    watch(page, live_site)
    live_site.send(result(live_site, "7", probability=1.0), result(live_site, "3", probability=0.5))
    wait_for(page, done=2, failed=0, repeats=0)
    image = page.locator(".images img").first

    wait_until(page, lambda: shown_results(page) == [("3", "50%"), ("7", "100%")])
    assert shown_tags(page) == [["7", "1", "50.0%"], ["3", "1", "50.0%"]]
    assert image.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0
    assert image.get_attribute("referrerpolicy") == "no-referrer"
    assert image.get_attribute("loading") == "lazy"


def test_the_empty_page_says_how_to_start(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)

    assert page.get_by_text("python3 dev.py live", exact=True).is_visible()
    assert page.get_by_text("python -m tools.enqueue").is_visible()
    assert page.get_by_role("button", name="Pause").is_disabled()

    live_site.send(result(live_site))
    wait_for(page, done=1)
    assert page.get_by_text("python3 dev.py live").count() == 0


def test_an_id_that_came_before_is_a_repeat_and_nothing_else(
    page: Page, live_site: LiveSite
) -> None:
    watch(page, live_site)
    first, bad = result(live_site), failure()
    live_site.send(first, result(live_site), first, first)
    live_site.send(bad, bad, target="newFailure")
    wait_for(page, done=2, failed=1, repeats=3)

    wait_until(page, lambda: len(shown_results(page)) == 2)
    assert shown_tags(page) == [["7", "2", "100.0%"]]
    assert len(shown_failures(page)) == 1


def test_a_failed_one_that_was_queued_again_is_no_repeat(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    live_site.send(failure(id="again"), target="newFailure")
    live_site.send(result(live_site, id="again"))

    wait_for(page, done=1, failed=1, repeats=0)


def test_failures_are_shown_with_their_reasons(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    no_url = failure("InvalidRequest", "The message is not a URL.", url=None, text="no url at all")
    live_site.send(failure(), failure(), no_url, target="newFailure")
    wait_for(page, failed=3, done=0)
    wait_until(page, lambda: len(shown_failures(page)) == 3)
    newest, *_, oldest = shown_failures(page)

    assert re.search(r"InvalidRequest.*not a URL\..*no url at all", newest, re.DOTALL)
    assert re.search(r"FetchFailed.*It said 404\..*example\.com/gone\.jpg", oldest, re.DOTALL)
    assert page.locator(".codes span").all_inner_texts() == ["FetchFailed 2", "InvalidRequest 1"]
    assert page.get_by_text("No result yet.").is_visible()


def test_lists_end_and_tags_beyond_ten_are_others(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    live_site.send(*(result(live_site, f"tag {number % 30}") for number in range(240)))
    live_site.send(*(result(live_site, "common") for _ in range(60)))
    live_site.send(*(failure(f"Code {number % 6}") for number in range(70)), target="newFailure")
    wait_for(page, done=300, failed=70)
    wait_until(page, lambda: shown_results(page) == [("common", "98.7%")] * 50)
    wait_until(page, lambda: len(shown_failures(page)) == 50)
    bars = shown_tags(page)

    assert bars[0] == ["common", "60", "20.0%"]
    assert bars[-1] == ["others", "168", "56.0%"]
    assert len(bars) == 11
    assert len(page.locator(".codes span").all()) == 5


def test_an_image_that_cannot_be_shown_leaves_its_place(
    page: Page, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console.append("404")
    watch(page, live_site)
    live_site.send(result(live_site, url=f"{live_site.url}/samples/none.png"))
    broken = page.get_by_role("img", name="The image cannot be shown")
    broken.wait_for()
    box = broken.bounding_box()
    live_site.send(result(live_site))
    wait_for(page, done=2)
    shown = page.locator(".images img").bounding_box()

    assert box and shown
    assert (box["width"], box["height"]) == pytest.approx((shown["width"], shown["height"]), abs=1)


def test_messages_are_text_whatever_they_hold(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    script = "<img src=x onerror=\"document.title = 'owned'\">"
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    addresses = [
        "javascript:document.title='owned'",
        f"data:text/html,{script}",
        "file:///etc/passwd",
        "//example.com/x.png",
        "samples/seven.png",
        script,
        pixel,
    ]
    live_site.send(*(result(live_site, script, url=address) for address in addresses))
    live_site.send(
        failure(f"{{{{ 7 * 7 }}}}{script}", script, url=addresses[0]), target="newFailure"
    )
    wait_for(page, done=len(addresses), failed=1)
    wait_until(page, lambda: len(shown_results(page) + shown_failures(page)) == 8)

    assert shown_tags(page)[0][0] == script
    assert script in shown_failures(page)[0]
    assert "{{ 7 * 7 }}" in shown_failures(page)[0]
    sources = page.locator("#app img").evaluate_all("images => images.map((img) => img.src)")
    assert sources == [pixel]
    assert requests in ([], [pixel])
    assert page.title() == "Image classifier, live"
    assert page.locator(".what").get_by_role("link").count() == 0


def test_messages_of_other_shapes_are_borne(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    original = {"predictedTagName": "Cat", "url": "", "prediction": [
        {"tagName": "Dog", "probability": 0.2}, {"tagName": "Cat", "probability": 0.8}
    ]}  # fmt: skip
    odd: list[Any] = [
        None,
        5,
        "text",
        [],
        {},
        {"url": 7, "predictedTagName": {}, "probability": "high"},
    ]
    live_site.send(original, *odd, {"id": 0, "probability": 7}, {"id": 0})
    live_site.send(None, {}, {"error": "text"}, {"error": {"code": 5}}, target="newFailure")
    wait_for(page, done=8, failed=4, repeats=1)
    wait_until(page, lambda: len(shown_results(page)) == 8 and len(shown_failures(page)) == 4)

    assert shown_results(page)[-1] == ("Cat", "80%")
    assert shown_results(page)[0] == ("no tag", "100%")
    assert shown_tags(page) == [["no tag", "7", "87.5%"], ["Cat", "1", "12.5%"]]
    assert "No reason was given." in shown_failures(page)[0]


def test_pause_holds_the_lists_and_counting_goes_on(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    live_site.send(result(live_site, "before"))
    wait_for(page, done=1)
    page.get_by_role("button", name="Pause").click()
    live_site.send(*(result(live_site, "after") for _ in range(3)))
    live_site.send(failure(), target="newFailure")
    wait_for(page, done=4, failed=1)
    page.get_by_text("Held, 4 new since; counting goes on.").wait_for()

    assert shown_results(page) == [("before", "98.7%")]
    assert shown_failures(page) == []
    assert shown_tags(page)[0][:2] == ["after", "3"]

    page.get_by_role("button", name="Resume").click()
    assert [tag for tag, _ in shown_results(page)] == ["after"] * 3 + ["before"]


def test_clear_begins_again(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    known = result(live_site)
    live_site.send(known, known)
    live_site.send(failure(), target="newFailure")
    wait_for(page, done=1, repeats=1, failed=1)
    page.get_by_role("button", name="Clear").click()
    wait_for(page, done=0, repeats=0, failed=0)

    assert page.locator(".images li, .failures li, .bars li").count() == 0
    live_site.send(known)
    wait_for(page, done=1, repeats=0)


def test_throughput_is_drawn_told_and_listed(page: Page, live_site: LiveSite) -> None:
    watch(page, live_site)
    plot = page.get_by_role("img", name=re.compile("Throughput over time"))
    assert "Nothing in the last 3 minutes." in (plot.get_attribute("aria-label") or "")
    live_site.send(*(result(live_site) for _ in range(30)))
    live_site.send(failure(), failure(), target="newFailure")
    page.locator("figcaption", has_text="2 failed").wait_for()
    highest = page.locator(".plot .line").evaluate(
        "(line) => Math.max(...line.getAttribute('d').match(/V[\\d.]+/g)"
        ".map((step) => 100 - step.slice(1)))"
    )
    page.get_by_text("The same as a table").click()
    page.locator("table").wait_for()
    rows = page.locator("table tbody tr").all_inner_texts()

    assert highest > 10
    assert re.search(r"peak (\d+) per second", plot.get_attribute("aria-label") or "")
    assert len(rows) == 18
    assert sum(int(row.split()[-2]) for row in rows) == 30
    assert sum(int(row.split()[-1]) for row in rows) == 2


def test_the_two_pages_lead_to_each_other_and_keep_the_api(page: Page, live_site: LiveSite) -> None:
    query = "?api=" + live_site.url.replace(":", "%3A").replace("/", "%2F")
    watch(page, live_site, query)
    back = page.get_by_role("link", name="One image").get_attribute("href")

    assert back == f"index.html{query}"
    assert 'href="live.html"' not in page.content()
