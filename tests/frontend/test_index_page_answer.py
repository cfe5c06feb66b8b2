"""The page shows an answer, and how long it has waited for one."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.reader import (
    SAMPLES,
    Sample,
    choose_file,
    curl_line,
    open_page,
    result,
    sample_button,
    shown_tags,
    type_url,
    verdict,
    wait_for_answer,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser


def ask_api(host: LocalHost, image: Path) -> dict[str, Any]:
    url, headers = f"{host.url}/api/classify", {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, image.read_bytes(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_tags_and_probabilities_are_those_of_the_answer(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    answer = ask_api(host, SAMPLES / samples[0]["file"])
    by_probability = sorted(answer["prediction"], key=lambda tag: -tag["probability"])
    open_page(page, host.url)
    sample_button(page, samples[0]).click()
    wait_for_answer(page)
    tags = shown_tags(page)
    widths = page.locator(".tags i").evaluate_all(
        "bars => bars.map((bar) => parseFloat(bar.style.width))"
    )

    assert verdict(page) == answer["predictedTagName"]
    assert [name for name, _ in tags] == [tag["tagName"] for tag in by_probability]
    assert widths == pytest.approx([100 * tag["probability"] for tag in by_probability], abs=1e-3)
    for (_, text), tag in zip(tags, by_probability, strict=True):
        assert not re.search(r"e-|^0%$", text), "small values stay readable"
        if not text.startswith(">"):
            shown = float(text.rstrip("%").replace(",", ""))
            assert shown == pytest.approx(100 * tag["probability"], rel=0.006)


def test_the_printed_curl_line_gives_the_same_answer(
    page: Page, context: BrowserContext, host: LocalHost, samples: list[Sample]
) -> None:
    if not (shutil.which("curl") and shutil.which("sh")):
        pytest.skip("no curl, or no POSIX shell")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, host.url)
    name = samples[0]["file"]
    lines = []
    for way in ("sample", "file", "url"):
        if way == "sample":
            sample_button(page, samples[0]).click()
        elif way == "file":
            choose_file(page, SAMPLES / name)
        else:
            type_url(page, f"{host.url}/samples/{name}")
        verdict(page, "http" if way == "url" else name)
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        lines.append(page.evaluate("navigator.clipboard.readText()"))
        assert lines[-1] == curl_line(page)
    outputs = [
        subprocess.run(["sh", "-c", line], cwd=SAMPLES, capture_output=True, check=True).stdout
        for line in lines
    ]

    assert len(set(lines)) == 3
    assert {json.loads(output)["predictedTagName"] for output in outputs} == {samples[0]["label"]}


def test_raw_json_and_the_model_that_answered_are_shown(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    open_page(page, host.url)
    with page.expect_response(lambda response: "/api/classify" in response.url) as caught:
        sample_button(page, samples[0]).click()
    wait_for_answer(page)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Raw JSON").click()

    assert json.loads(popup.value.locator("pre").inner_text()) == caught.value.json()
    assert page.get_by_text("Answered by digits/1 on onnx (CPUExecutionProvider).").is_visible()


def test_no_tag_is_said_in_words(page: Page, host: LocalHost, samples: list[Sample]) -> None:
    body: dict[str, Any] = {"created": "", "predictedTagName": None, "prediction": []}
    page.route("**/api/classify", lambda route: route.fulfill(json=body))
    open_page(page, host.url)
    sample_button(page, samples[0]).click()

    assert verdict(page) == "No tag passes"
    assert page.get_by_role("list", name="Tags by probability").count() == 0


def test_a_long_answer_starts_with_its_best_tags_and_markup_stays_text(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    tags = [{"tagName": f"<b>tag</b> {n}", "probability": (n + 1) / 1000} for n in range(100)]
    body = {"created": "", "predictedTagName": "<b>tag</b> 99", "prediction": tags}
    page.route("**/api/classify", lambda route: route.fulfill(json=body))
    open_page(page, host.url)
    sample_button(page, samples[0]).click()
    wait_for_answer(page)
    first = shown_tags(page)
    page.get_by_role("button", name="Show all 100 tags").click()

    assert first[0] == ("<b>tag</b> 99", "10%")
    assert len(first) == 20
    assert len(shown_tags(page)) == 100


class Held:
    """Keeps the calls to classify waiting until the test lets them go on to the real API."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._routes: list[Route] = []
        page.route("**/api/classify*", lambda route: self._routes.append(route))

    def call(self, number: int) -> Route:
        """The call of that number, from 0, once the page has made it."""
        deadline = time.monotonic() + 30
        while len(self._routes) <= number:
            assert time.monotonic() < deadline, "the page did not call"
            self._page.wait_for_timeout(10)  # Playwright hands calls over while it waits
        return self._routes[number]


def test_a_slow_answer_shows_that_work_goes_on(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    page.clock.install(time=datetime.datetime(2026, 11, 20, 12))
    open_page(page, host.url)
    page.clock.pause_at(datetime.datetime(2026, 11, 20, 13))
    held = Held(page)
    sample_button(page, samples[0]).click()
    page.get_by_text("Classifying…").wait_for()
    at_first = result(page).inner_text()

    assert result(page).get_attribute("aria-busy") == "true"
    assert "Still waiting" not in at_first

    call = held.call(0)
    page.clock.fast_forward(2000)
    page.get_by_text("Still waiting.").wait_for()
    call.continue_()
    wait_for_answer(page)

    assert result(page).get_attribute("aria-busy") == "false"
    assert verdict(page) == samples[0]["label"]


def test_only_the_newest_of_overlapping_answers_is_shown(
    page: Page, host: LocalHost, samples: list[Sample]
) -> None:
    from playwright.sync_api import Error

    open_page(page, host.url)
    held = Held(page)
    sample_button(page, samples[0]).click()
    first = held.call(0)
    with page.expect_event("requestfailed") as ended:
        sample_button(page, samples[1]).click()
    second = held.call(1)
    assert ended.value.failure == "net::ERR_ABORTED"
    with contextlib.suppress(Error):  # it was ended by the page, so there is nothing to continue
        first.continue_()
    second.continue_()

    assert verdict(page, samples[1]["file"]) == samples[1]["label"]
    assert samples[0]["label"] != samples[1]["label"]
