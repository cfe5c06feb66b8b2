"""frontend/live.html when 200 results a second come, and when it has been open for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.frontend.watcher import result, shown_results, wait_for, wait_until, watch

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.frontend.live_site import LiveSite

pytestmark = pytest.mark.browser

PER_SECOND = 200
SECONDS = 3

# Counts how often the page paints what came, and how long it keeps the browser from painting.
OBSERVE = """
() => {
  const seen = window.seen = { totals: 0, cards: 0, mostCards: 0, longTasks: [], frames: [] };
  const list = document.querySelector('.images');
  new MutationObserver(() => { seen.totals += 1; })
    .observe(document.querySelector('#done'), { childList: true, characterData: true });
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) seen.cards += addedNodes.length;
    seen.mostCards = Math.max(seen.mostCards, list.children.length);
  }).observe(list, { childList: true });
  new PerformanceObserver((entries) => {
    for (const { duration } of entries.getEntries()) seen.longTasks.push(duration);
  }).observe({ type: 'longtask' });
  let last = performance.now();
  requestAnimationFrame(function frame(now) {
    seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  });
}
"""


def test_two_hundred_results_a_second_are_painted_a_few_times_a_second(
    page: Page, live_site: LiveSite
) -> None:
    watch(page, live_site)
    live_site.send(result(live_site))
    wait_for(page, done=1)
    page.evaluate(OBSERVE)
    count = PER_SECOND * SECONDS
    url = f"{live_site.url}/samples/seven.png"
    messages = [
        result(live_site, f"tag {number % 40}", url=f"{url}?{number}") for number in range(count)
    ]
    live_site.send_at_rate(messages, PER_SECOND)
    wait_for(page, done=count + 1, repeats=0)
    wait_until(page, lambda: shown_results(page)[0][0] == messages[-1]["predictedTagName"])
    seen = page.evaluate("seen")
    frames = sorted(seen["frames"])

    # Whatever the machine: ten paintings a second, fifty new cards a second, fifty cards in all.
    assert SECONDS * 2 <= seen["totals"] <= (SECONDS + 1) * 10
    assert seen["cards"] <= (SECONDS + 1) * 50
    assert seen["mostCards"] == 50
    # A machine that does other things as well may miss frames, but not most of them.
    assert frames[len(frames) // 2] < 35, "milliseconds"
    assert sum(seen["longTasks"]) < SECONDS * 1000 / 4, "milliseconds"


def test_a_day_of_messages_needs_no_more_memory_than_an_hour(
    page: Page, context: BrowserContext, live_site: LiveSite, expected_in_console: list[str]
) -> None:
    expected_in_console.append("404")  # an image has no icon
    page.goto(f"{live_site.url}/samples/seven.png")
    page.evaluate(
        """async () => {
          const { createTally } = await import('/scripts/live/statistics.js');
          window.tally = createTally(() => window.now);
          window.now = 0;
          window.serial = 0;
          window.receive = (count) => {
            for (let last = serial + count; serial < last; serial += 1) {
              now += 5;
              const id = `a message with an id that is rather long, and of its own: ${serial}`;
              tally.addResult({
                id, url: `https://example.com/${id}.png`, predictedTagName: `tag ${serial % 5000}`,
                probability: 0.5, prediction: Array(10).fill({ tagName: id, probability: 0.5 }),
              });
              if (serial % 10 === 0) {
                const error = { code: `code ${serial}`, message: 'x'.repeat(5000) };
                tally.addFailure({ id, url: id, error });
              }
            }
          };
        }"""
    )
    devtools = context.new_cdp_session(page)

    def megabytes_after(count: int) -> float:
        page.evaluate("receive", count)
        devtools.send("HeapProfiler.collectGarbage")
        size: float = devtools.send("Runtime.getHeapUsage")["usedSize"]
        return size / 1e6

    early = megabytes_after(250_000)
    late = megabytes_after(250_000)
    counts = page.evaluate("tally.counts()")

    assert counts["done"] == 500_000
    assert counts["failed"] == 50_000
    assert counts["repeats"] == 0
    assert counts["tags"]["total"] == 500_000
    assert late < early + 5
    assert late < 40
