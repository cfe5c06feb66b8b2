"""Forms as they come: from browsers, from curl, and from the Custom Vision SDKs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_classifier.errors import InvalidRequest
from image_classifier.protocols.multipart import Part, read_parts
from tests.support.builders import colour_image

TYPE = "multipart/form-data; boundary=b42"
# Every byte, line ends of all kinds, half a boundary, and what is no UTF-8.
AWKWARD = bytes(range(256)) + b"\r\n--b4\r\n\n--b42x\r--b4" + b"\xff\xfe\r\n"


def form(*parts: tuple[str, bytes], end: bytes = b"--b42--\r\n") -> bytes:
    """A body of parts: (headers, content)."""
    return (
        b"".join(b"--b42\r\n%b\r\n\r\n%b\r\n" % (head.encode(), body) for head, body in parts) + end
    )


@pytest.mark.parametrize("content", [AWKWARD, b"", colour_image(kind="JPEG")])
@pytest.mark.parametrize(
    ("head", "filename"),
    [
        ('Content-Disposition: form-data; name="imageData"', None),
        (
            'Content-Disposition: form-data; name="imageData"\r\n'
            "Content-Type: application/octet-stream",
            None,
        ),
        (
            'Content-Disposition: form-data; name="imageData"; filename="x.jpg"\r\n'
            "Content-Type: application/octet-stream",
            "x.jpg",
        ),
    ],
    ids=["bytes", "typed", "file"],
)
def test_the_three_shapes_of_the_sdks_keep_every_byte(
    head: str, filename: str | None, content: bytes
) -> None:
    assert read_parts(TYPE, form((head, content))) == [Part("imageData", filename, content)]


def test_parts_come_in_their_order() -> None:
    heads = [f'Content-Disposition: form-data; name="f{number}"' for number in range(3)]
    parts = read_parts(TYPE, form(*[(head, head.encode()) for head in heads]))

    assert [part.name for part in parts] == ["f0", "f1", "f2"]
    assert [part.content.decode() for part in parts] == heads


def test_a_part_without_a_name_has_an_empty_one() -> None:
    (part,) = read_parts(TYPE, form(("Content-Disposition: form-data", b"x")))

    assert part == Part("", None, b"x")


def test_a_quoted_boundary_and_a_preamble_are_understood() -> None:
    body = b"to whom it may concern\r\n" + form(('Content-Disposition: form-data; name="a"', b"x"))

    assert read_parts('multipart/form-data; charset=x; boundary="b42"', body)[0].content == b"x"


def test_a_large_part_with_boundaries_across_pieces_is_whole() -> None:
    content = random.Random(7).randbytes(300_000)
    head = 'Content-Disposition: form-data; name="a"'
    for cut in (0, 1, 2, 65_536 - len(head) - 11, 65_540):
        parts = read_parts(TYPE, form((head, content[: 131_072 - cut]), (head, content)))
        assert [len(part.content) for part in parts] == [131_072 - cut, 300_000]
        assert parts[1].content == content


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", form()),
        ("multipart/form-data; boundary=", form()),
        (TYPE, b""),
        (TYPE, b"no parts here"),
        (TYPE, form(("Content-Disposition: form-data", b"x"), end=b"")),
        (TYPE, form(("Content-Type: image/png", b"x"))),
        (TYPE, form(('Content-Disposition: form-data; name="\xff"', b"x")).replace(b"\xc3", b"")),
        ("multipart/form-data; boundary=\u2028", form()),
    ],
)
def test_what_is_no_form_is_said_so(content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="multipart body cannot be read"):
        read_parts(content_type, body)


def test_an_empty_body_is_told_what_may_have_become_of_it() -> None:
    with pytest.raises(InvalidRequest, match="it is empty.*sent in chunks.*as a Buffer"):
        read_parts(TYPE, b"")


@given(st.binary(max_size=300), st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_gives_parts_or_one_sentence(body: bytes, more: bytes) -> None:
    head = 'Content-Disposition: form-data; name="a"'
    for sent in (body, form((head, body)), form((head, body)) + more, b"--b42\r\n" + body + more):
        try:
            assert all(isinstance(part.content, bytes) for part in read_parts(TYPE, sent))
        except InvalidRequest as exc:
            assert exc.message.startswith("The multipart body ")
