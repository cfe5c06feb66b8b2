"""The page by keyboard alone, with a screen reader, and on a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.reader import (
    FRONTEND,
    SAMPLES,
    Sample,
    choose_file,
    open_page,
    sample_button,
    spoken,
    verdict,
    wait_for_answer,
    wait_for_problem,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"


def test_the_keyboard_alone_is_enough(page: Page, host: LocalHost, samples: list[Sample]) -> None:
    open_page(page, host.url)
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.id || document.activeElement.querySelector('img')?.alt "
            "|| document.activeElement.tagName"
        )
        outline = page.evaluate(
            """() => {
              const own = document.activeElement;
              const shown = own.type === 'file' ? own.nextElementSibling : own;
              return getComputedStyle(shown).outlineStyle;
            }"""
        )
        assert outline == "solid", f"{name} has no visible focus"
        reached.append(name)
        if name == samples[0]["alt"]:
            page.keyboard.press("Enter")
        if name == "version":
            break

    assert verdict(page) == samples[0]["label"]
    assert reached[:5] == ["A", "A", "A", "SUMMARY", "url"]
    assert {"file", "model", *(sample["alt"] for sample in samples)} <= set(reached)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_file_can_be_chosen_by_keyboard(
    page: Page, host: LocalHost, samples: list[Sample], key: str
) -> None:
    page.on("filechooser", lambda chooser: None)  # from the start: it takes a while to take hold
    open_page(page, host.url)
    page.get_by_label("Choose a file").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press(key)
    chooser.value.set_files(SAMPLES / samples[1]["file"])

    assert verdict(page) == samples[1]["label"]


def test_the_answer_is_spoken(page: Page, host: LocalHost, samples: list[Sample]) -> None:
    open_page(page, host.url)
    assert spoken(page).get_attribute("aria-live") == "polite"
    assert spoken(page).inner_text() == ""  # there before it is filled, or screen readers miss it
    sample_button(page, samples[0]).click()
    wait_for_answer(page)
    words = spoken(page).inner_text()

    assert re.fullmatch(rf"{samples[0]['label']}, [> \d.]+%\. Took .* m?s\.", words)


def test_a_phone_shows_it_all_without_scrolling_sideways(
    browser: Any, host: LocalHost, samples: list[Sample]
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        is_mobile=True,
        has_touch=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    open_page(page, host.url)
    page.locator("summary").click()
    before = page.evaluate("document.documentElement.scrollWidth")
    camera = page.get_by_label("Take a photo")
    sample_button(page, samples[0]).tap()
    wait_for_answer(page)
    after = page.evaluate("document.documentElement.scrollWidth")
    top = page.locator(".result").evaluate("(result) => result.getBoundingClientRect().top")
    label, capture = page.get_by_text("Take a photo").is_visible(), camera.get_attribute("capture")
    context.close()

    assert (before, after) == (360, 360)
    assert 0 <= top < 740, "the result was brought onto the screen"
    assert (label, capture) == (True, "environment")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_mend(
    page: Page,
    host: LocalHost,
    keyed_host: LocalHost,
    samples: list[Sample],
    expected_in_console: list[str],
    tmp_path: Path,
    scheme: Any,
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in the folder frontend")
    expected_in_console += ["415", "401"]
    page.emulate_media(color_scheme=scheme)

    def violations() -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]

    open_page(page, host.url)
    page.locator("summary").click()
    assert violations() == []
    sample_button(page, samples[0]).click()
    wait_for_answer(page)
    assert violations() == []
    (tmp_path / "notes.txt").write_text("no image at all")
    choose_file(page, tmp_path / "notes.txt")
    wait_for_problem(page)
    assert violations() == []
    page.goto(keyed_host.url)
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    assert violations() == []
