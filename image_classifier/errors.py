"""Defines the errors of a classification.

ClassifierError
    InvalidRequest          the request is malformed: no image, bad base64, bad parameter
    Unauthorized            no key, or a wrong one
    FetchError              the image's URL gave no image
        FetchBlocked        the URL leads to a forbidden scheme, host, address or port
        FetchFailed         the other server refused, failed or sent no image
        FetchTimedOut       the other server was too slow
    ImageTooLarge           more bytes or pixels than allowed
    UnsupportedImage        the bytes are not an image that can be decoded
    UnknownModel            there is no model, or no version, of that name
    TooManyRequests         more work at once than the app accepts
    ModelError              the model cannot be loaded or run
SettingsError               an app setting has an invalid value (raised at start)

Clients compare ``code``: it never changes once released. The endpoint chooses the HTTP status
(``bindings/http.py``).
"""

from __future__ import annotations

__all__ = [
    "ClassifierError",
    "FetchBlocked",
    "FetchError",
    "FetchFailed",
    "FetchTimedOut",
    "ImageTooLarge",
    "InvalidRequest",
    "ModelError",
    "SettingsError",
    "TooManyRequests",
    "Unauthorized",
    "UnknownModel",
    "UnsupportedImage",
]


class ClassifierError(Exception):
    """Base of all errors whose message is meant for the caller.

    Attributes:
        message: one or two sentences that name the fault, what is allowed, and what to do.
        transient: whether the same request may succeed a little later. A queue retries only these
            errors.
    """

    transient: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        """The machine-readable name of the error: the class's own name."""
        return type(self).__name__


class InvalidRequest(ClassifierError):
    """The request has no image, or a part of it cannot be understood."""


class Unauthorized(ClassifierError):
    """The request carries no key, or one that is not in ``API_KEYS``."""


class FetchError(ClassifierError):
    """The image's URL gave no image."""


class FetchBlocked(FetchError):
    """The URL's scheme, port, host or address must not be fetched."""


class FetchFailed(FetchError):
    """The other server refused, failed, could not be reached or sent no image.

    Attributes:
        upstream_status: the other server's HTTP status, or None when it gave none. Statuses 5xx
            and those in ``TRANSIENT_STATUSES`` are transient.
    """

    TRANSIENT_STATUSES = frozenset({408, 425, 429})  # request timeout, too early, too many

    def __init__(
        self, message: str, *, upstream_status: int | None = None, transient: bool = False
    ) -> None:
        super().__init__(message)
        self.upstream_status = upstream_status
        status = upstream_status or 0
        self.transient = transient or 500 <= status < 600 or status in self.TRANSIENT_STATUSES


class FetchTimedOut(FetchError):
    """The download did not end within ``FETCH_TIMEOUT_SECONDS``."""

    transient = True


class ImageTooLarge(ClassifierError):
    """The image has more bytes or pixels than ``MAX_IMAGE_BYTES`` or ``MAX_IMAGE_PIXELS`` allow.

    Attributes:
        in_pixels: whether its width and height are too large, rather than its bytes.
    """

    def __init__(self, message: str, *, in_pixels: bool = False) -> None:
        super().__init__(message)
        self.in_pixels = in_pixels


class UnsupportedImage(ClassifierError):
    """The bytes are not an image in a supported format, or are damaged."""


class UnknownModel(ClassifierError):
    """There is no model, or no version, of that name; the message lists the existing ones."""


class TooManyRequests(ClassifierError):
    """The app has all the work that it accepts at once; try again a little later."""

    transient = True


class ModelError(ClassifierError):
    """The model cannot be loaded or run; the message names the file and the reason.

    Transient, because people repair models, and the images that wait for one are not at fault.
    """

    transient = True


class SettingsError(ValueError):
    """An app setting has an invalid value; the message names the key and the value."""
