"""Translates the errors of Azure's storage and identity clients, without secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from image_classifier.stores.blob_location import BlobLocation

__all__ = ["StorageError", "translate_errors"]

_READING = {
    "key": "Check the key in AzureWebJobsStorage.",
    "signature": "Check that the signature in MODELS_DIR has not expired, and that it allows to "
    "read and to list.",
    "identity": "Give the app's identity the role Storage Blob Data Reader there.",
    "": "It is not public: add a signature to MODELS_DIR, or set AzureWebJobsStorage.",
}
_WRITING = {
    "key": "Check the key in AzureWebJobsStorage.",
    "signature": "The signature in MODELS_DIR must allow to read, list, write and delete.",
    "identity": "Whoever registers models needs the role Storage Blob Data Contributor there.",
    "": "Nobody may write without a key: add a signature to MODELS_DIR, or set "
    "AzureWebJobsStorage.",
}


class StorageError(Exception):
    """A request to the storage failed; the message gives the cause and holds no secret.

    Attributes:
        message: the sentence.
        transient: whether a later retry may succeed without a change.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.transient = transient


@contextlib.contextmanager
def translate_errors(
    location: BlobLocation, path: str = "", *, writing: bool = False
) -> Iterator[None]:
    """Turns the clients' errors inside the ``with`` block into StorageError.

    ``from None`` throughout: their own messages can hold the address with its signature.

    Args:
        location: the part of a container that is read or written.
        path: the blob, from the location's prefix; empty: the container.
        writing: whether the block writes.
    """
    where = f"{location.shown}/{path}".rstrip("/")
    try:
        from azure.core import exceptions
    except ImportError as exc:
        raise _not_installed(where, exc) from None
    try:
        yield
    except ImportError as exc:
        raise _not_installed(where, exc) from None
    except exceptions.ResourceModifiedError:
        raise StorageError(f"{where} was changed while it was read.") from None
    except exceptions.ResourceExistsError:
        raise StorageError(f"{where} is there already.", transient=False) from None
    except exceptions.HttpResponseError as exc:
        raise _refused(location, where, exc, writing=writing) from None
    except exceptions.AzureError as exc:
        host = location.account.url.partition("//")[2].partition("/")[0]
        message = f"{where} cannot be reached: nothing answers at {host}."
        if any(each in str(exc) for each in ("resolve", "getaddrinfo", "Name or service")):
            message = f"{where} cannot be reached: there is no host {host}. Check the name."
        raise StorageError(message) from None


def _not_installed(where: str, exc: ImportError) -> StorageError:
    return StorageError(
        f"{where} cannot be read: {exc.name} is not installed. Install what requirements.txt names."
    )


def _refused(location: BlobLocation, where: str, exc: Any, *, writing: bool) -> StorageError:
    status, code = exc.status_code, getattr(exc, "error_code", None) or exc.reason or ""
    if status is None and not location.account.identity:  # nothing could be signed with it
        return StorageError(f"{where} was not asked. {_READING[_opened_by(location)]}")
    if status is None:  # the identity clients failed before a request
        return StorageError(
            f"{where} cannot be read: there is no identity here that could open it. Assign one to "
            "the app, or log in with `az login`."
        )
    answer = f"({status} {getattr(code, 'value', code)})"
    if status == 404:
        or_hidden = "" if _opened_by(location) else " or not public"
        return StorageError(f"{where} is not there{or_hidden} {answer}. Check MODELS_DIR.")
    if status in (401, 403):
        advice = (_WRITING if writing else _READING)[_opened_by(location)]
        done = "written" if writing else "read"
        return StorageError(f"{where} may not be {done} {answer}. {advice}")
    return StorageError(f"{where} was refused by the storage {answer}.")


def _opened_by(location: BlobLocation) -> str:
    account = location.account
    kinds = {"signature": account.sas, "key": account.key, "identity": account.identity}
    return next((kind for kind, credential in kinds.items() if credential), "")
