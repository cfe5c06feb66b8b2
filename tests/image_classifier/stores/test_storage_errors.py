from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core import exceptions

from image_classifier.storage_settings import BlobAccount
from image_classifier.stores.blob_location import BlobLocation
from image_classifier.stores.storage_errors import StorageError, translate_errors

URL = "https://a.blob.core.windows.net"
PUBLIC = BlobLocation(BlobAccount(URL), "models")
SIGNED = BlobLocation(BlobAccount(URL, sas="sig=very-secret"), "models")
KEYED = BlobLocation(BlobAccount(URL, "a", "very-secret"), "models")
IDENTITY = BlobLocation(BlobAccount(URL, identity=True), "models")


def refused(status: int, code: str) -> exceptions.HttpResponseError:
    response: Any = SimpleNamespace(status_code=status, reason="Reason", headers={}, text=str)
    error = exceptions.HttpResponseError(message="GET …?sig=very-secret", response=response)
    error.error_code = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("location", "error", "words"),
    [
        (SIGNED, refused(403, "AuthorizationFailure"), "signature in MODELS_DIR has not expired"),
        (KEYED, refused(403, "AuthenticationFailed"), "Check the key in AzureWebJobsStorage"),
        (IDENTITY, refused(403, "Mismatch"), "role Storage Blob Data Reader"),
        (PUBLIC, refused(401, "NoAuth"), r"\(401 NoAuth\)\. It is not public"),
        (PUBLIC, refused(404, "ContainerNotFound"), "is not there or not public"),
        (KEYED, refused(503, "ServerBusy"), r"refused by the storage \(503 ServerBusy\)"),
        (KEYED, exceptions.ClientAuthenticationError("no base64"), "was not asked. Check the key"),
        (KEYED, exceptions.ResourceModifiedError("x"), "was changed while it was read"),
        (KEYED, exceptions.ServiceRequestError("sig=very-secret"), f"nothing answers at {URL[8:]}"),
        (KEYED, ImportError("x", name="azure.storage"), "azure.storage is not installed"),
    ],
)
def test_each_trouble_has_its_sentence(
    location: BlobLocation, error: Exception, words: str
) -> None:
    with pytest.raises(StorageError, match=words) as caught, translate_errors(location, "m/1/a"):
        raise error

    assert "very-secret" not in caught.value.message
    assert caught.value.__suppress_context__, "a log of it would show their words"
    assert caught.value.transient


def test_who_may_not_write_is_told_what_that_needs() -> None:
    for location, words in (
        (SIGNED, "must allow to read, list, write and delete"),
        (IDENTITY, "Storage Blob Data Contributor"),
        (PUBLIC, "Nobody may write without a key"),
    ):
        with pytest.raises(StorageError, match=words), translate_errors(location, writing=True):
            raise refused(403, "AuthorizationFailure")
