"""Defines the errors of a call and translates those of gRPC.

PredictionError
    InvalidInput        the image, a tensor or a name is not what the model takes
    Unauthorized        no token, or a wrong one
    NotFound            no such model or version is served
    TooLarge            the message is larger than the server, or a proxy, lets through
    DeadlineExceeded    no answer within the timeout
    Unavailable         the server cannot be reached, is starting or has just ended
    Busy                the server has as much work as it takes on at once
    ServerError         the server failed, or its answer cannot be read

Only ``Unavailable`` and ``Busy`` are tried again, within the timeout: the same call may well
succeed a little later. All others fail at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import grpc

__all__ = [
    "Busy",
    "DeadlineExceeded",
    "InvalidInput",
    "NotFound",
    "PredictionError",
    "ServerError",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "error_of",
]


class PredictionError(Exception):
    """Base of all errors of a call.

    Attributes:
        message: the server's own words, where it has said any.
        code: gRPC's name of the status, such as ``INVALID_ARGUMENT``; "" if nothing was sent.
        transient: whether the same call may well succeed a little later.
        attempts: how often the call was tried.
    """

    transient: bool = False
    attempts: int = 1

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        tried = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return f"{self.message}{tried}"


class InvalidInput(PredictionError):
    """The image, a tensor or a name is not what the model takes; the message says which."""


class Unauthorized(PredictionError):
    """The server requires a token, and got none or a wrong one."""


class NotFound(PredictionError):
    """No such model or version is served."""


class TooLarge(PredictionError):
    """The message is larger than the server, or a proxy before it, lets through."""


class DeadlineExceeded(PredictionError):
    """There was no answer within the timeout; whether the server did the work is not known."""


class Unavailable(PredictionError):
    """The server cannot be reached, is starting or has just ended.

    It is not tried again if the server is there and its certificate is not trusted.
    """

    def __init__(self, message: str, *, code: str = "", transient: bool = True) -> None:
        super().__init__(message, code=code)
        self.transient = transient


class Busy(PredictionError):
    """The server has as much work as it takes on at once."""

    transient = True


class ServerError(PredictionError):
    """The server failed, or its answer cannot be read; its log may say more."""


_KINDS: Mapping[str, type[PredictionError]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": InvalidInput,
        "FAILED_PRECONDITION": InvalidInput,  # TensorFlow Serving's for an unknown signature
        "OUT_OF_RANGE": InvalidInput,
        "UNAUTHENTICATED": Unauthorized,
        "PERMISSION_DENIED": Unauthorized,
        "NOT_FOUND": NotFound,
        "DEADLINE_EXCEEDED": DeadlineExceeded,
        "RESOURCE_EXHAUSTED": Busy,
        "UNAVAILABLE": Unavailable,
        "CANCELLED": Unavailable,  # by a server that ends while it has calls
    }
)
# gRPC has one code for "too much work" and "too large a message"; only its words differ.
_TOO_LARGE = "larger than max"
# A server that speaks no TLS, or whose certificate is not trusted, will not change its mind.
_BAD_TLS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "Hostname Verification")
_TLS_ADVICE = (
    " Is TLS on at the server (use_ssl)? For a certificate of your own, pass root_certificates, "
    "and as the address a name that is in it."
)
# gRPC's words where no address could be connected to. They are about the last one only: often ::1
# of localhost, where nobody listens, while the server on 127.0.0.1 speaks TLS.
_NOT_CONNECTED = "last error:"
_PLAIN_ADVICE = (
    " Is the server running, is this its gRPC port, and does it want TLS (use_ssl=True)?"
)


def error_of(rpc_error: Any, target: str, timeout: float, use_ssl: bool) -> PredictionError:
    """Translates the error of a call to one of this tree.

    Args:
        rpc_error: what gRPC raised.
        target: the server's address.
        timeout: seconds that the call had, with all its tries.
        use_ssl: whether it was sent with TLS.
    """
    status: grpc.StatusCode = rpc_error.code()
    code, words = status.name, rpc_error.details() or "no reason was given"
    kind = _KINDS.get(code, ServerError)
    if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE in words:
        return TooLarge(words, code=code)
    if kind is Unavailable:
        is_tls = any(sign in words for sign in _BAD_TLS)
        words = f"{target} is not available: {words}"
        if is_tls:
            words += f".{_TLS_ADVICE}"
        elif _NOT_CONNECTED in words and not use_ssl:
            words += f".{_PLAIN_ADVICE}"
        return Unavailable(words, code=code, transient=not is_tls)
    if kind is Unauthorized:
        words += " In this client a key is access_token=."
    elif kind is DeadlineExceeded:
        words = (
            f"{target} did not answer within {timeout:g} seconds ({words}). Pass a longer timeout, "
            "or look whether the server is stuck."
        )
    return kind(words, code=code)
