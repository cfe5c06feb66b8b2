"""Where the page takes Vue from when there is no local copy (see also test_vendor.py)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.frontend.reader import (
    FRONTEND,
    open_page,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser


def cdn_address() -> str:
    text = (FRONTEND / "index.html").read_text(encoding="utf-8")
    found = re.search(r"cdn: '(https://[^']+)'", text)
    assert found
    return found[1]


def without_vendor(page: Page, body: str | None) -> None:
    page.route("**/vendor/**", lambda route: route.fulfill(status=404))
    if body is None:
        page.route(cdn_address(), lambda route: route.abort())
    else:
        cors = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript"}
        page.route(cdn_address(), lambda route: route.fulfill(body=body, headers=cors))


def test_without_a_local_copy_vue_comes_from_the_cdn(
    page: Page, host: LocalHost, expected_in_console: list[str], elsewhere: list[str]
) -> None:
    expected_in_console.append("404")
    elsewhere.append("cdn.jsdelivr.net")
    without_vendor(page, (FRONTEND / "vendor" / "vue.global.prod.js").read_text(encoding="utf-8"))
    open_page(page, host.url)

    assert page.get_by_role("heading", name="Image classifier").is_visible()


@pytest.mark.parametrize(
    "body", [None, "window.Vue = { createApp() { document.title = 'owned' } }"]
)
def test_without_the_pinned_vue_the_page_says_so(
    page: Page,
    host: LocalHost,
    expected_in_console: list[str],
    elsewhere: list[str],
    body: str | None,
) -> None:
    expected_in_console += ["404", "ERR_FAILED", "integrity", "could not be loaded"]
    elsewhere.append("cdn.jsdelivr.net")
    without_vendor(page, body)
    page.goto(host.url)
    page.get_by_text("This page could not load Vue").wait_for()

    assert page.title() == "Image classifier"
    assert page.get_by_role("heading").count() == 0
