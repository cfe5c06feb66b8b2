"""Sends images to an endpoint over one connection, and repeats requests that may succeed."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from tools.compare.answer_log import Answer
from tools.compare.endpoint import Endpoint
from tools.compare.rate_limit import RateLimit
from tools.compare.replies import NoPrediction, error_of, printable, seconds_to_wait, tags_in
from tools.shared.errors import ToolError

__all__ = ["HttpClient"]

CONNECT_SECONDS = 10
TRIES_WHEN_BUSY = 6
TRIES_WHEN_BROKEN = 3
LONGEST_WAIT_SECONDS = 300.0

_BUSY = {429, 503}
_BROKEN = {408, 500, 502, 504}
# Errors that every image would get.
_WRONG = {401, 403, 404, 405}
_WRONG_CODES = {
    "BadRequestExceededQuota",
    "BadRequestInvalidIds",
    "BadRequestIterationNotPublished",
    "BadRequestNotSupported",
    "BadRequestPredictionInvalidApplicationName",
    "BadRequestPredictionInvalidQueryParameters",
}


class _Try(NamedTuple):
    """The outcome of one request.

    Attributes:
        answer: the answer, or the reason why there is none.
        most_tries: the number of attempts after such an outcome.
        wait: seconds to wait before the next request, as the server demands.
        absent: whether no server answered, or it was too busy.
    """

    answer: Answer
    most_tries: int = 1
    wait: float | None = None
    absent: bool = False


class HttpClient:
    """A client of one endpoint, for one thread at a time.

    Args:
        endpoint: the endpoint.
        rate_limit: gives the turn for each repeated request; the caller takes the first one.
        timeout: seconds without a byte of the reply.
        pause: seconds before the second attempt, doubled for each further one, unless the server
            demands another wait.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        rate_limit: RateLimit,
        *,
        timeout: float = 60.0,
        pause: float = 1.0,
    ) -> None:
        self._endpoint, self._rate_limit = endpoint, rate_limit
        self._timeout, self._pause = timeout, pause
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._session.headers["Content-Type"] = "application/octet-stream"
        if endpoint.key:
            self._session.headers["Prediction-Key"] = endpoint.key
        # Without this a .netrc would add a password.
        self._session.auth = lambda request: request
        # No proxy gets requests that stay on this machine.
        self._session.trust_env = not endpoint.address.is_local
        self._is_connected = False

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def ask(self, image: bytes) -> Answer:
        """Sends one image, again and again until there is an answer or no attempt is left.

        Raises:
            ToolError: the endpoint will answer no image.
            StoppedError: the run was stopped before there was an answer.
        """
        tries = 0
        while True:
            done = self._try(image)
            tries += 1
            if tries >= done.most_tries:
                answer = replace(done.answer, retries=tries - 1)
                self._endpoint.take_note(answer, absent=done.absent)
                return answer
            pause = self._pause * 2 ** (tries - 1)
            if done.wait is not None:
                self._rate_limit.hold(done.wait)
            else:
                self._rate_limit.sleep(pause)
            self._rate_limit.turn()

    def _try(self, image: bytes) -> _Try:
        self._endpoint.count_request()
        opens, started = not self._is_connected, time.perf_counter()
        try:
            response = self._session.post(
                self._endpoint.address.url,
                data=image,
                timeout=(CONNECT_SECONDS, self._timeout),
                allow_redirects=False,  # the key would go along
            )
        except requests.RequestException as exc:
            return self._failed(exc)
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        self._is_connected = True
        if response.status_code != 200:
            return self._refused(response)
        try:
            tags = tags_in(response.content)
        except NoPrediction as exc:
            words = self._endpoint.without_secrets(f"answered 200 with {exc}")
            return _Try(Answer(error=words))
        return _Try(Answer(tags, milliseconds=milliseconds, opened_connection=opens))

    def _failed(self, error: requests.RequestException) -> _Try:
        """Handles a missing reply. The library's message holds the query, so it is never shown."""
        if isinstance(error, requests.exceptions.SSLError):
            raise ToolError(
                f"{self._endpoint.name} has a certificate that is not accepted: {_reason(error)} "
                f"({self._endpoint.address.shown})"
            ) from None
        if isinstance(error, requests.Timeout):
            answer = Answer(error=f"did not answer within {self._timeout:g} s")
            return _Try(answer, TRIES_WHEN_BROKEN, absent=True)
        if isinstance(error, requests.ConnectionError):
            # An address that never answered hardly will, but a network may fail for a while.
            tries = TRIES_WHEN_BUSY if self._endpoint.has_answered else TRIES_WHEN_BROKEN
            return _Try(Answer(error=f"did not answer: {_reason(error)}"), tries, absent=True)
        answer = Answer(error=f"gave an answer that cannot be read ({type(error).__name__})")
        return _Try(answer, TRIES_WHEN_BROKEN)

    def _refused(self, response: requests.Response) -> _Try:
        status = response.status_code
        code, message = error_of(response.content)
        shown = " ".join(filter(None, (str(status), code)))
        words = message or printable(response.reason or "") or "no reason"
        words = self._endpoint.without_secrets(f"answered {shown}: {words}")
        if status in _WRONG or 300 <= status < 400 or code in _WRONG_CODES:
            raise ToolError(f"{self._endpoint.name} {words}{self._advice(response)}")
        answer = Answer(error=words)
        if status in _BUSY:
            wait = seconds_to_wait(response.headers)
            if wait is not None and wait > LONGEST_WAIT_SECONDS:
                raise ToolError(
                    f"{self._endpoint.name} {words} It wants to be left alone for "
                    f"{wait / 60:.0f} minutes; go on after that with --resume."
                )
            return _Try(answer, TRIES_WHEN_BUSY, wait, absent=True)
        if status in _BROKEN:
            return _Try(answer, TRIES_WHEN_BROKEN)
        return _Try(replace(answer, refused=400 <= status < 500))

    def _advice(self, response: requests.Response) -> str:
        endpoint, status = self._endpoint, response.status_code
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("Location", ""))
            where = printable(f"{target.scheme}://{target.netloc}{target.path}", 200)
            where = endpoint.without_secrets(where) if target.netloc else "another place"
            return (
                f" That is a redirect to {where}. Redirects are not followed, since the key would "
                "go along: name the right URL with --endpoint."
            )
        if status == 401 and not endpoint.key:
            return f" Put its key into the environment as PREDICTION_KEY_{endpoint.name}."
        if status == 401:
            return f" Check PREDICTION_KEY_{endpoint.name} in the environment."
        if status in (404, 405):
            return f" Check the project and the published name in {endpoint.address.shown}"
        return ""


def _reason(error: BaseException) -> str:
    """Finds the message of the operating system inside an exception of the library."""
    inside: list[BaseException] = [error]
    for each in inside:  # grows meanwhile
        wrapped = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        inside += [it for it in wrapped if isinstance(it, BaseException) and it not in inside]
    for each in reversed(inside):
        if isinstance(each, OSError) and each.strerror:
            return re.sub(r"^\[.*?\]\s*", "", printable(each.strerror, 120))
    return "the connection was closed"
