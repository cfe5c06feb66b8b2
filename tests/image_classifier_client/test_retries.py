"""The pauses between attempts: longer each time, spread, and never past the deadline."""

from __future__ import annotations

import grpc
import pytest

from image_classifier_client import InvalidInput, Unavailable
from image_classifier_client.retries import Attempts


class Failure(grpc.RpcError):  # type: ignore[misc]
    """As gRPC raises it."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = grpc.StatusCode[code]

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the reason"


DOWN = Failure("UNAVAILABLE")


def test_each_pause_is_about_twice_the_one_before_up_to_five_seconds() -> None:
    attempts = Attempts(1000, 8, "a:1", False)
    pauses = [attempts.pause_after(DOWN) for _ in range(8)]

    for pause, middle in zip(pauses, [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5], strict=True):
        assert 0.75 * middle <= pause <= 1.25 * middle
    with pytest.raises(Unavailable, match=r"a:1 is not available: the reason \(tried 9 times\)"):
        attempts.pause_after(DOWN)


def test_pauses_of_many_callers_are_spread() -> None:
    assert len({Attempts(10, 1, "a:1", False).pause_after(DOWN) for _ in range(100)}) > 50


def test_there_is_no_pause_that_would_outlast_the_deadline() -> None:
    attempts = Attempts(0.1, 100, "a:1", False)

    assert 0 < attempts.seconds_left() <= 0.1
    with pytest.raises(Unavailable) as caught:
        attempts.pause_after(DOWN)
    assert caught.value.attempts == 1
    assert caught.value.__cause__ is DOWN


def test_without_retries_the_first_failure_is_the_answer() -> None:
    with pytest.raises(Unavailable):
        Attempts(10, 0, "a:1", False).pause_after(DOWN)


def test_what_the_caller_has_to_mend_is_raised_at_once() -> None:
    with pytest.raises(InvalidInput, match="^the reason$"):
        Attempts(10, 5, "a:1", False).pause_after(Failure("INVALID_ARGUMENT"))
