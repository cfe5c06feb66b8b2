"""Changed images and requests at random: each gets an answer, none an exception or a 500."""

from __future__ import annotations

import io
import json
import random
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.stress import fuzz_target
from benchmarks.stress.fuzz_target import (
    IMAGE,
    REQUEST,
    WrongAnswer,
    first_inputs,
    fuzz_classifier,
    mutated,
    try_input,
    with_checksums,
)
from image_classifier import Classifier
from image_classifier.images.decode import SUPPORTED_FORMATS
from tests.support.builders import colour_image

FIRST = first_inputs()
IMAGES = [data for data in FIRST if data[:1] == IMAGE]
REQUESTS = [data for data in FIRST if data[:1] == REQUEST]
# Long runs are benchmarks.stress.fuzz's; here hypothesis makes the first failing input small.
RUN = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def demo() -> Classifier:
    return fuzz_classifier()


def test_the_first_inputs_cover_every_format_and_way_in() -> None:
    formats = {Image.open(io.BytesIO(data[1:])).format for data in IMAGES}

    assert formats == set(SUPPORTED_FORMATS)
    assert {data[1:].split(b"\n")[0].split(b";")[0] for data in REQUESTS} > {
        b"application/json",
        b"multipart/form-data",
        b"application/octet-stream",
    }


@pytest.mark.slow
@given(st.sampled_from(IMAGES), st.integers(0, 2**32))
@RUN
def test_a_changed_image_is_decoded_and_preprocessed_or_refused(
    demo: Classifier, data: bytes, seed: int
) -> None:
    try_input(IMAGE + mutated(data, random.Random(seed), IMAGES)[1:], demo)


@given(st.sampled_from(REQUESTS), st.integers(0, 2**32))
@RUN
def test_a_changed_request_gets_an_answer_that_is_no_500(
    demo: Classifier, data: bytes, seed: int
) -> None:
    try_input(REQUEST + mutated(data, random.Random(seed), FIRST)[1:], demo)


@pytest.mark.slow
@given(
    st.text(max_size=60),
    st.dictionaries(st.sampled_from(["img", "model", "version", "code"]), st.text(max_size=30)),
    st.binary(max_size=300),
)
@RUN
def test_any_words_get_an_answer_that_is_no_500(
    demo: Classifier, kind: str, params: dict[str, str], body: bytes
) -> None:
    query = urlencode(params, errors="surrogatepass").encode()
    line = kind.replace("\n", " ").encode("utf-8", "replace")
    try_input(REQUEST + line + b"\n" + query + b"\n" + body, demo)


@pytest.mark.slow
@given(st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists, max_leaves=8))
@RUN
def test_any_json_gets_an_answer_that_is_no_500(demo: Classifier, value: object) -> None:
    for body in (value, {"image": value}, {"img": value}, [{"image": value}]):
        try_input(REQUEST + b"application/json\n\n" + json.dumps(body).encode(), demo)


def test_a_bug_in_the_decoder_is_noticed(demo: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> Image.Image:
        raise KeyError("a bug")

    monkeypatch.setattr(fuzz_target, "decode", broken)

    with pytest.raises(KeyError):
        try_input(IMAGE + colour_image(), demo)


def test_a_500_is_noticed(demo: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> object:
        raise RuntimeError("a bug")

    monkeypatch.setattr(fuzz_target, "classify", broken)

    with pytest.raises(WrongAnswer, match="status 500"):
        try_input(REQUEST + b"image/png\n\n" + colour_image(), demo)


def test_checksums_of_a_png_are_made_right() -> None:
    data = colour_image()
    at = data.index(b"IHDR") + 4 + 13

    assert with_checksums(data[:at] + b"\x00\x00\x00\x00" + data[at + 4 :]) == data
    assert with_checksums(b"no png") == b"no png"


def test_the_same_seed_gives_the_same_input() -> None:
    first, second = (mutated(FIRST[0], random.Random(5), FIRST) for _ in range(2))

    assert first == second != FIRST[0]
