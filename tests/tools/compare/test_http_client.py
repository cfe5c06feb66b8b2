"""An image that fails is sent again where that helps, and listed where it does not."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.tools.compare.services import (
    Answering,
    Compare,
    Reply,
    Serve,
    cat,
    figure,
    kept,
    rows,
)


def once(first: Reply | None, then: Answering = cat) -> Answering:
    """The first reply to a.png is another than the next ones."""
    seen: list[bytes] = []

    def answer(body: bytes) -> Reply | None:
        if body == b"a.png":
            seen.append(body)
            return first if len(seen) == 1 else then(body)
        return then(body)

    return answer


@pytest.mark.parametrize(
    "first",
    [
        Reply({"error": {"code": "429", "message": "Slow down."}}, 429, {"Retry-After": "0"}),
        Reply({"statusCode": 429, "message": "Slow down."}, 429),
        Reply(b"busy", 503),
        Reply(b"<h1>Bad Gateway</h1>", 502),
        Reply(b"", 500),
        None,
    ],
    ids=["429", "429 without a time", "503", "502", "500", "hung up"],
)
def test_what_passes_is_tried_again_and_counted(
    first: Reply | None, compare: Compare, service: Serve, tmp_path: Path
) -> None:
    ran = compare(service().url, service(once(first)).url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")
    assert figure(ran, "images answered") == ["4", "4"]
    assert figure(ran, "requests tried again") == ["0", "1"]
    assert kept(tmp_path)["a.png"]["b"]["retries"] == 1


def test_everybody_waits_as_long_as_a_busy_service_wants(compare: Compare, service: Serve) -> None:
    asked_before: list[bytes] = []

    def busy_at_first(body: bytes) -> Reply:
        """Whichever image comes first: threads that wait for a turn get it in any order."""
        asked_before.append(body)
        busy = Reply({"code": "x", "message": "Slow down."}, 429, {"Retry-After": "2"})
        return busy if len(asked_before) == 1 else cat(body)

    a, b = service(busy_at_first), service()
    ran = compare(a.url, b.url, "--rate", "2", "--concurrency", "2")
    first = a.asked[0]

    assert ran.status == 0, ran.err
    for each in (a, b):
        others = sorted(asked.at - first.at for asked in each.asked if asked.body != first.body)
        assert len(others) == 3
        # Without a pause their turns come after 0.5, 1 and 1.5 seconds. On a slow machine the
        # first of them may have its turn before the reply is read.
        assert min(others[1:]) > 2
    assert [asked.body for asked in a.asked].count(first.body) == 2
    assert all(asked.at - first.at > 2 for asked in a.asked[1:] if asked.body == first.body)
    # The wait is in no time that is shown.
    assert float(figure(ran, "… slowest")[0]) < 1000


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"code": "BadRequestImageFormat", "message": "Bad Request Image Format"}, 400),
            "answered 400 BadRequestImageFormat: Bad Request Image Format",
        ),
        (Reply(b"too large", 413), "answered 413: too large"),
        (Reply(b"", 415), "answered 415: Unsupported Media Type"),
        (Reply({"error": "no"}, 500), "answered 500: no"),
        (Reply(b"Error processing image"), "answered 200 with no predictions in the answer"),
        (Reply(b'{"predictions": [{"tagName": "a"}'), "answered 200 with no predictions"),
        (Reply({"predictions": [{"tagName": "a"}]}), "answered 200 with a prediction without"),
    ],
)
def test_an_image_that_fails_is_listed_and_the_others_are_compared(
    reply: Reply, words: str, compare: Compare, service: Serve, tmp_path: Path
) -> None:
    fails_once = service(lambda body: reply if body == b"b.JPG" else cat(body))
    ran = compare(service().url, fails_once.url)

    assert ran.status == 0, ran.err
    assert figure(ran, "images compared") == ["3 of 4"]
    assert figure(ran, "images refused or failed") == ["0", "1"]
    (row,) = [cells for cells in rows(ran.out) if cells[0] == "b.JPG"]
    assert row[1] == "a prediction"
    assert row[2].startswith(words)
    assert words in (tmp_path / "out" / "comparison.md").read_text("utf-8")
    assert ran.out.endswith(" 1 image was not answered by both.\n")


def test_a_file_that_cannot_be_read_is_listed(
    compare: Compare, service: Serve, folder: Path
) -> None:
    def deleting(body: bytes) -> Reply:
        (folder / "sub" / "d.bmp").unlink(missing_ok=True)
        return cat(body)

    ran = compare(service().url, service(deleting).url, "--concurrency", "1")

    assert ran.status == 0, ran.err
    assert "the file cannot be read (No such file or directory)" in ran.out


def test_an_image_larger_than_the_cloud_takes_is_noted(
    compare: Compare, service: Serve, folder: Path
) -> None:
    (folder / "a.png").write_bytes(bytes(4 * 1024 * 1024 + 1))

    ran = compare(service().url, service().url)
    assert "Images of more than 4 MB, which Custom Vision's cloud refuses: 1." in ran.out


@pytest.mark.slow
def test_a_reply_that_does_not_come_is_given_up(compare: Compare, service: Serve) -> None:
    over = threading.Event()

    def slow_once(body: bytes) -> Reply:
        if body == b"b.JPG":
            over.wait(20)
        return cat(body)

    try:
        b = service(slow_once)
        ran = compare(service().url, b.url, "--timeout", "0.5", "--concurrency", "1")
    finally:
        over.set()

    assert ran.status == 0, ran.err
    assert "did not answer within 0.5 s" in ran.out
    assert figure(ran, "images compared") == ["3 of 4"]
