"""The actions and views of a reader of the page, in words that the tests are written with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
SAMPLES = FRONTEND / "samples"
KEY = "open-sesame"

Sample = dict[str, str]


def open_page(page: Page, address: str) -> None:
    """Opens the page and waits until it knows the API's models."""
    page.goto(address)
    wait_for_models(page)


def wait_for_models(page: Page) -> None:
    page.get_by_label("Name", exact=True).wait_for()


def wait_for_answer(page: Page) -> None:
    page.locator(".verdict").wait_for()


def wait_for_problem(page: Page) -> None:
    page.locator(".result .notice").wait_for()


def sample_button(page: Page, sample: Sample) -> Locator:
    return page.get_by_role("button", name=sample["alt"], exact=True)


def choose_file(page: Page, file: Path) -> None:
    page.get_by_label("Choose a file").set_input_files(file)


def type_url(page: Page, url: str) -> None:
    page.get_by_label("Address of an image").fill(url)
    page.keyboard.press("Enter")


def give_key(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def result(page: Page) -> Locator:
    return page.get_by_role("region", name="Result")


def verdict(page: Page, image: str = "") -> str:
    """The predicted tag, once it is there; ``image`` is what the page must then be showing."""
    page.locator("figure", has_text=image).wait_for()
    return page.locator(".verdict strong").inner_text()


def problem(page: Page) -> str:
    """What went wrong, once it has."""
    return page.locator(".result .notice").inner_text()


def spoken(page: Page) -> Locator:
    return page.get_by_role("status")


def shown_tags(page: Page) -> list[tuple[str, str]]:
    tags = page.get_by_role("list", name="Tags by probability")
    names = tags.locator(".name").all_inner_texts()
    return list(zip(names, tags.locator(".value").all_inner_texts(), strict=True))


def stages(page: Page) -> list[str]:
    return page.locator(".times .name").all_inner_texts()


def curl_line(page: Page) -> str:
    return page.locator(".curl pre").inner_text()
