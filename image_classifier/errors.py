"""Everything that can go wrong while an image is classified.

ClassifierError
    InvalidRequest          the caller's words are off: no image, bad base64, bad parameter
    Unauthorized            no key, or a wrong one
    FetchError              the image's URL did not give an image
        FetchBlocked        the URL points where it must not
        FetchFailed         the other server refused, failed or sent no image
        FetchTimedOut       the other server was too slow
    ImageTooLarge           more bytes or pixels than allowed
    UnsupportedImage        the bytes are not an image that can be decoded
    UnknownModel            there is no model, or no version, of that name
    TooManyRequests         more work at once than the app takes on
    ModelError              the model cannot be loaded or run
SettingsError               an app setting has a value it cannot have (raised at start)

``code`` is what clients compare: it never changes once released. Which HTTP status an error
becomes is the endpoint's business (``bindings/http.py``), not the error's.
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
    """Base of all errors that a caller can be told about in one sentence.

    Attributes:
        message: one or two sentences: what was wrong, what is allowed, what to do.
        transient: whether the same request may well succeed a little later. A queue tries those
            again, and no others.
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
    """The image's URL did not give an image."""


class FetchBlocked(FetchError):
    """The URL's scheme, port, host or address is one that must not be fetched."""


class FetchFailed(FetchError):
    """The other server refused, failed, could not be reached or sent no image.

    Attributes:
        upstream_status: the other server's HTTP status, or None when it gave none. Its 5xx, and
            those in ``TRANSIENT_STATUSES``, are transient.
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
        in_pixels: whether it is its width and height that are too large, not its bytes.
    """

    def __init__(self, message: str, *, in_pixels: bool = False) -> None:
        super().__init__(message)
        self.in_pixels = in_pixels


class UnsupportedImage(ClassifierError):
    """The bytes are not an image in a supported format, or are damaged."""


class UnknownModel(ClassifierError):
    """There is no model, or no version of it, of that name; the message lists those there are."""


class TooManyRequests(ClassifierError):
    """The app has as much work as it takes on at once; try again a little later."""

    transient = True


class ModelError(ClassifierError):
    """The model cannot be loaded or run; the message names the file and the reason.

    Transient, because people mend models: an image that waits for one is not the image's fault.
    """

    transient = True


class SettingsError(ValueError):
    """An app setting has a value it cannot have; the message names the key and the value."""
