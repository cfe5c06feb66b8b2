"""An endpoint that refuses every image ends the run, without a word of its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.servers import free_port
from tests.tools.compare.services import (
    KEY_A,
    KEY_B,
    Compare,
    Reply,
    Serve,
    cat,
    figure,
)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"error": {"code": "401", "message": "Access denied."}}, 401),
            "error: B answered 401 401: Access denied. Put its key into the environment as "
            "PREDICTION_KEY_B.",
        ),
        (Reply({"code": "Forbidden", "message": "No."}, 403), "B answered 403 Forbidden: No."),
        (
            Reply({"code": "NotFoundIteration", "message": "Invalid iteration"}, 404),
            "B answered 404 NotFoundIteration: Invalid iteration Check the project and the "
            "published name in http://127.0.0.1:",
        ),
        (
            Reply({"code": "BadRequestIterationNotPublished", "message": "Not yet"}, 400),
            "B answered 400 BadRequestIterationNotPublished: Not yet",
        ),
        (
            Reply({"message": "Quota"}, 429, {"Retry-After": "7200"}),
            "B answered 429: Quota It wants to be left alone for 120 minutes",
        ),
    ],
)
def test_what_is_wrong_for_all_ends_it_with_the_services_words(
    reply: Reply, words: str, compare: Compare, service: Serve
) -> None:
    b = service(lambda body: reply)
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert ran.status == 1
    assert words in ran.err
    assert len(b.asked) == 1
    assert "To go on" not in ran.err
    # Nothing is there to be lost: the next try needs no option.
    b.answer = cat
    assert compare(service().url, b.url).status == 0


def test_a_key_that_is_wrong_is_named_by_its_variable_only(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    words = f"Key {KEY_A} of /image?code=the-query-secret is \x1b[31mwrong"
    a = service(lambda body: Reply({"code": "401", "message": words}, 401))
    ran = compare(f"{a.url}?code=the-query-secret", service().url)

    assert "error: A answered 401 401: Key … of /image?… is \ufffd[31mwrong" in ran.err
    assert "Check PREDICTION_KEY_A in the environment." in ran.err
    assert KEY_A not in ran.out + ran.err


def test_no_secret_is_in_what_is_printed_or_written(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    echo = Reply(f"{KEY_A} {KEY_B} the-query-secret".encode(), 400)
    a = service(lambda body: echo if body == b"a.png" else cat(body))
    b = service(lambda body: None if body == b"b.JPG" else cat(body))
    ran = compare(f"{a.url}?code=the-query-secret", b.url, plot=True)
    files = [path.read_text("utf-8") for path in (tmp_path / "out").iterdir()]

    assert ran.status == 0, ran.err
    assert len(files) >= 3
    for text in (ran.out, ran.err, *files):
        assert KEY_A not in text
        assert "the-query-secret" not in text


def test_a_redirect_is_not_followed(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_B", KEY_B)
    trap = service()
    away = {"Location": f"{trap.url}?code=hidden"}
    b = service(lambda body: Reply(b"", 307, away))
    ran = compare(service().url, b.url)

    assert ran.status == 1
    assert f"That is a redirect to {trap.url}. Redirects are not followed" in ran.err
    assert trap.asked == []


def test_nobody_there_is_said(compare: Compare, service: Serve) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/image"
    ran = compare(service().url, nowhere)

    assert ran.status == 1
    assert f"error: B did not answer: Connection refused ({nowhere})\n" in ran.err


def test_a_service_that_breaks_down_ends_it_and_what_there_is_is_shown(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(20):
        (folder / f"z{number:02}.png").write_bytes(b"z")
    b = service(lambda body: Reply(b"oops", 500) if body == b"z" else cat(body))
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert ran.status == 1
    assert "B gave no answer to 5 images in a row. To the last one it answered 500: oops" in ran.err
    assert "To go on: the same command with --resume" in ran.err
    assert figure(ran, "images compared") == ["4 of 8"]
    assert "It ended early: 8 of 24 images are in." in ran.out


def test_failures_with_answers_between_them_do_not_end_it(
    compare: Compare, service: Serve, folder: Path
) -> None:
    for number in range(16):
        (folder / f"z{number:02}.png").write_bytes(f"z{number:02}".encode())
    b = service(lambda body: Reply(status=501) if body[-1] % 2 else cat(body))
    ran = compare(service().url, b.url, "--concurrency", "1")

    assert (ran.status, ran.err) == (0, "")
    assert int(figure(ran, "images refused or failed")[1]) >= 8


def test_where_nothing_was_answered_there_is_nothing_to_compare(
    compare: Compare, service: Serve
) -> None:
    ran = compare(service(lambda body: Reply(status=400)).url, service().url)

    assert ran.status == 1
    assert "No image was answered by both" in ran.out


def test_a_key_that_can_be_none_is_not_shown(
    compare: Compare, service: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", "kéy")
    ran = compare(service().url, service().url)

    assert ran.err == "error: PREDICTION_KEY_A has characters that no key has. Copy it again.\n"


def test_a_key_in_the_clear_and_images_that_are_kept_are_noted(
    compare: Compare, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_KEY_A", KEY_A)
    # An address of this machine that is not known as such: nothing listens at its port.
    ran = compare(f"http://0.0.0.0:{free_port()}/image", "http://127.0.0.1:9/image")

    assert "it stores each image that is sent to …/image" in ran.err
    assert "the key of A and all images go there unencrypted" in ran.err
