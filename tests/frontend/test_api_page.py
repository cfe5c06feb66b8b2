"""frontend/api.html in a real Chromium: what openapi.json says, and each operation tried."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontend.reader import FRONTEND, KEY, SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.servers import LocalHost

pytestmark = pytest.mark.browser

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
OPENAPI: dict[str, Any] = json.loads((FRONTEND / "openapi.json").read_text("utf-8"))
OPERATIONS = {
    operation["operationId"]: (method.upper(), path)
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}
# No model of the demo has labels of versions, or takes examples.
REFUSED = ("Label", "Classify", "Regress")


def open_operation(page: Page, url: str, name: str) -> Locator:
    page.goto(f"{url}/api.html#{name}")
    opened = page.locator(f"#{name}")
    opened.get_by_role("heading", name="Try it").wait_for()
    return opened


def send(operation: Locator) -> str:
    """The status that comes back."""
    operation.get_by_role("button", name="Send").click()
    operation.locator(".answer").wait_for()
    return operation.locator(".try .status").inner_text()


def answer(operation: Locator) -> Any:
    return json.loads(operation.locator(".answer").inner_text())


def test_every_operation_is_shown_under_its_heading(page: Page, host: LocalHost) -> None:
    page.goto(f"{host.url}/api.html")
    page.get_by_role("heading", name="The API").wait_for()
    shown = page.locator(".operation > summary").evaluate_all(
        "all => all.map((one) => [...one.children].map((part) => part.textContent))"
    )
    listed = page.get_by_role("navigation", name="Operations").get_by_role("link").all()

    assert {(method, path) for method, path, _ in shown} == set(OPERATIONS.values())
    assert len(shown) == len(listed) == len(OPERATIONS)
    assert all(summary for _, _, summary in shown)
    headings = page.locator("section > h2").all_inner_texts()
    assert headings[1:] == [tag["name"] for tag in OPENAPI["tags"]]


def test_an_operation_shows_what_it_takes_and_answers(page: Page, host: LocalHost) -> None:
    operation = open_operation(page, host.url, "postApiClassify")
    text = operation.inner_text()

    assert "predictedTagName: string | null" in text
    assert "multipart/form-data" in text and "image: the bytes of the file" in text
    assert "UnsupportedImage: The bytes are not an image" in text
    assert "Server-Timing: fetch;dur=12.40" in text
    assert "``" not in text and "[object Object]" not in text and "undefined" not in text


@pytest.mark.parametrize(
    "name", [name for name in OPERATIONS if not name.endswith(REFUSED) and "Labels" not in name]
)
def test_what_the_form_is_filled_with_works_as_it_is(
    page: Page, host: LocalHost, name: str
) -> None:
    operation = open_operation(page, host.url, name)

    assert send(operation) == "200"
    assert answer(operation)


@pytest.mark.parametrize("kind", ["image/*", "multipart/form-data", "application/json"])
def test_an_image_can_be_sent_in_each_way(page: Page, host: LocalHost, kind: str) -> None:
    operation = open_operation(page, host.url, "postApiClassify")
    operation.get_by_label("Body as").select_option(kind)

    assert send(operation) == "200"
    assert answer(operation)["predictedTagName"] == "7"


def test_a_file_of_ones_own_and_parameters_are_sent(
    page: Page, host: LocalHost, expected_in_console: list[str]
) -> None:
    expected_in_console.append("404")
    operation = open_operation(page, host.url, "postApiClassify")
    operation.get_by_label("or a file").set_input_files(SAMPLES / "nine.png")
    assert send(operation) == "200"
    assert answer(operation)["predictedTagName"] == "9"

    operation.get_by_label("model", exact=True).fill("cats & dogs")
    assert send(operation) == "404"
    assert answer(operation)["error"]["code"] == "UnknownModel"
    assert "model=cats+%26+dogs" in operation.locator(".curl pre").inner_text()


def test_a_parameter_that_is_needed_is_asked_for(page: Page, host: LocalHost) -> None:
    operation = open_operation(page, host.url, "getV1ModelsModel")
    operation.get_by_label("model", exact=True).fill(" ")
    operation.get_by_role("button", name="Send").click()

    assert operation.locator(".problem").inner_text() == "Fill in model."


@pytest.mark.parametrize("name", ["postApiClassify", "postV1ModelsModelPredict", "postUrl"])
def test_the_line_for_a_terminal_does_the_same(page: Page, host: LocalHost, name: str) -> None:
    operation = open_operation(page, host.url, name)
    send(operation)
    line = operation.locator(".curl pre").inner_text()
    if "--json" in line and not knows_json():
        pytest.skip("this curl has no --json")
    done = subprocess.run(
        ["bash", "-c", line], cwd=SAMPLES, capture_output=True, text=True, timeout=60
    )
    theirs, ours = json.loads(done.stdout), answer(operation)
    for each in (theirs, ours):
        each.pop("created", None)

    assert theirs == ours


def knows_json() -> bool:
    listed = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    return "--json" in listed.stdout


def test_a_key_is_asked_for_kept_and_sent(
    page: Page, keyed_host: LocalHost, expected_in_console: list[str]
) -> None:
    expected_in_console.append("401")
    operation = open_operation(page, keyed_host.url, "getApiStatus")
    assert send(operation) == "401"
    page.get_by_role("heading", name="The API asks for a key").wait_for()
    page.get_by_label("Where the app asks for one").fill(KEY)
    page.keyboard.press("Enter")
    assert send(operation) == "200"
    assert KEY not in operation.locator(".curl pre").inner_text()

    page.goto(f"{keyed_host.url}/index.html")
    page.get_by_label("Name", exact=True).wait_for()  # the other pages have it too


def test_the_pages_lead_to_each_other_and_keep_the_address(
    page: Page, host: LocalHost, static_site: str
) -> None:
    page.goto(f"{static_site}/index.html?api={host.url}")
    page.get_by_role("link", name="API", exact=True).click()
    page.get_by_role("heading", name="The API").wait_for()
    operation = open_operation(page, f"{static_site}", "getApiStatus")
    page.goto(f"{static_site}/api.html?api={host.url}#getApiStatus")
    operation.get_by_role("heading", name="Try it").wait_for()

    assert send(operation) == "200"
    page.get_by_role("link", name="Live").click()
    page.wait_for_url(f"{static_site}/live.html?api=*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_mend(page: Page, host: LocalHost, scheme: Any) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in the folder frontend")
    page.emulate_media(color_scheme=scheme)

    def violations() -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]

    operation = open_operation(page, host.url, "postApiClassify")
    send(operation)
    operation.get_by_text("An example").click()
    open_two = page.locator("#postV1ModelsModelPredict")
    open_two.locator("summary").first.click()
    open_two.get_by_role("heading", name="Try it").wait_for()
    assert violations() == []


def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Any, host: LocalHost) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(f"{host.url}/api.html")
    page.get_by_role("heading", name="The API").wait_for()
    widths = []
    for name in OPERATIONS:
        page.locator(f"#{name} > summary").tap()
        page.locator(f"#{name}").get_by_role("heading", name="Try it").wait_for()
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
    context.close()

    assert set(widths) == {360}
