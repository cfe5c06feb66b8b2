from __future__ import annotations

import pytest

from image_classifier.errors import SettingsError
from image_classifier.settings import Settings
from image_classifier.storage_settings import BlobAccount, OwnBlobs, StorageSettings

IMAGES = frozenset({"images", "cat-photos"})
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=store;AccountKey=c2VjcmV0"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"__accountName": "store"}, "store.blob.core.windows.net"),
        ({"__accountName": " Store "}, "store.blob.core.windows.net"),
        ({"__blobServiceUri": "https://a.blob.core.windows.net"}, "a.blob.core.windows.net"),
        (
            {
                "__blobServiceUri": "https://a.blob.core.windows.net/",
                "__queueServiceUri": "https://b.queue.core.windows.net/",
                "__tableServiceUri": "https://c.table.core.windows.net/",
            },
            "a.blob.core.windows.net",
        ),
        (
            {"__blobServiceUri": "https://A.Blob.Core.ChinaCloudApi.cn:443/", "__accountName": "x"},
            "a.blob.core.chinacloudapi.cn",
        ),
        ({"": CONNECTION}, "store.blob.core.windows.net"),
        (
            {"": f"{CONNECTION};EndpointSuffix=core.usgovcloudapi.net"},
            "store.blob.core.usgovcloudapi.net",
        ),
        (
            {"": "BlobEndpoint=https://store.z01.blob.storage.azure.net/;SharedAccessSignature=x"},
            "store.z01.blob.storage.azure.net",
        ),
        ({"": CONNECTION, "__accountName": "other"}, "store.blob.core.windows.net"),
        (
            {"": CONNECTION, "__blobServiceUri": "https://other.blob.core.windows.net"},
            "store.blob.core.windows.net",
        ),
        ({"": " ", "__accountName": "other"}, "other.blob.core.windows.net"),
    ],
)
def test_the_account_is_the_one_that_the_host_uses(environ: dict[str, str], host: str) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}

    assert own_blobs_in(named).host == host


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"": "UseDevelopmentStorage=true"},
        {"": "not a connection string"},
        {"": "AccountName=store"},
        {"": f"{CONNECTION};BlobEndpoint=http://store.blob.core.windows.net"},
        {"__accountName": "store.evil.example/"},
        {"__accountName": "st"},
        {"__blobServiceUri": "http://store.blob.core.windows.net"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:8443"},
        {"__blobServiceUri": "https://store.blob.core.windows.net:many"},
        {"__queueServiceUri": "https://store.queue.core.windows.net"},
        {"__blobServiceUri": "https://blobs.example.com/store"},
        {"__blobServiceUri": "https://store.blob.core.windows.net/?sig=c2VjcmV0"},
        {"__blobServiceUri": "https://"},
        {"__blobServiceUri": "https://[store"},
    ],
)
def test_an_app_without_such_an_account_does_not_start(environ: dict[str, str]) -> None:
    named = {f"AzureWebJobsStorage{name}": value for name, value in environ.items()}
    with pytest.raises(SettingsError, match="FETCH_BLOB_IDENTITY='true'") as error:
        Settings.from_environ(
            {"FETCH_BLOB_IDENTITY": "true", "FETCH_BLOB_CONTAINERS": "images", **named}
        )

    assert "c2VjcmV0" not in str(error.value)
    assert Settings.from_environ(named).own_blobs is None


def test_models_and_images_are_in_the_account_that_the_host_uses() -> None:
    """The Functions host passes over the settings for an identity beside a connection string."""
    both = {
        "AzureWebJobsStorage": CONNECTION,
        "AzureWebJobsStorage__accountName": "other",
        "AzureWebJobsStorage__clientId": "c-1",
    }
    connection_string = StorageSettings.from_environ(both).account()
    identity = StorageSettings.from_environ(both | {"AzureWebJobsStorage": ""}).account()

    assert connection_string == BlobAccount(
        "https://store.blob.core.windows.net", "store", "c2VjcmV0"
    )
    assert identity == BlobAccount(
        "https://other.blob.core.windows.net", identity=True, client_id="c-1"
    )
    assert StorageSettings.from_environ({}).account() is None


def test_the_endpoints_key_does_not_show() -> None:
    own = own_blobs_in({"AzureWebJobsStorage__accountName": "store", "IDENTITY_HEADER": "secret"})

    assert own.token_key == "secret"
    assert "secret" not in repr(own)


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_no_container_never_means_all_of_them(text: str) -> None:
    environ = {
        "FETCH_BLOB_IDENTITY": "true",
        "FETCH_BLOB_CONTAINERS": text,
        "AzureWebJobsStorage__accountName": "store",
    }
    with pytest.raises(SettingsError, match="Set FETCH_BLOB_CONTAINERS to"):
        Settings.from_environ(environ)

    own = Settings.from_environ(environ | {"FETCH_BLOB_CONTAINERS": "images"}).own_blobs
    assert own is not None
    assert own.containers == {"images"}


def own_blobs_in(environ: dict[str, str]) -> OwnBlobs:
    return OwnBlobs.from_environ(environ, StorageSettings.from_environ(environ), IMAGES)


def own_blobs() -> OwnBlobs:
    return OwnBlobs("store.blob.core.windows.net", IMAGES, "", "", "")
