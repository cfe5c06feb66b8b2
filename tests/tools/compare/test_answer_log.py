"""A run can be resumed: no image is sent twice that has a final answer."""

from __future__ import annotations

from pathlib import Path

from tests.tools.compare.services import (
    Compare,
    Reply,
    Serve,
    cat,
    figure,
    kept,
)


def test_what_was_answered_is_not_asked_again(
    compare: Compare, service: Serve, folder: Path, tmp_path: Path
) -> None:
    fails = True

    def failing(body: bytes) -> Reply:
        if body == b"a.png":
            return Reply({"code": "BadRequestImageFormat", "message": "No."}, 400)
        return Reply(b"", 500) if fails and body == b"sub/d.bmp" else cat(body)

    a, b = service(), service(failing)
    compare(a.url, b.url)
    refused = compare(a.url, b.url)
    fails = False
    for each in (a, b):
        each.asked.clear()
    (folder / "b.JPG").write_bytes(b"another picture")
    (folder / "new.png").write_bytes(b"new")
    with (tmp_path / "out" / "answers.jsonl").open("a") as file:
        file.write('{"file": "sub/c.gif", "sha')  # as a crash leaves it
    ran = compare(a.url, b.url, "--resume")

    assert refused.status == 1
    assert "Go on with that one (--resume), replace it (--overwrite)" in refused.err
    assert ran.status == 0, ran.err
    # What failed, what is another image now, and what is new; not what was refused.
    for each in (a, b):
        assert {asked.body for asked in each.asked} == {b"another picture", b"new", b"sub/d.bmp"}
    assert figure(ran, "images compared") == ["4 of 5"]
    assert set(kept(tmp_path)) == {"a.png", "b.JPG", "new.png", "sub/c.gif", "sub/d.bmp"}


def test_answers_of_other_endpoints_are_not_taken(compare: Compare, service: Serve) -> None:
    a, b = service(), service()
    nothing = compare(a.url, b.url, "--resume")
    compare(a.url, b.url)
    other = compare(b.url, a.url, "--resume")

    assert "to resume. Leave out --resume." in nothing.err
    assert other.status == 1
    assert f"has answers of other endpoints: {a.url} and {b.url}." in other.err
    assert compare(b.url, a.url, "--overwrite").status == 0
